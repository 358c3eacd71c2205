"""Sphinx configuration. Nothing here, and nothing in the pages it makes, uses the network."""

import logging
import re

from tfinv.version import __version__

project = "tfinv"
author = "the tfinv authors"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"tfinv {__version__}"
html_copy_source = False

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

_TABLE = re.compile(r"^\s*\|.*\|\s*$")


def as_restructured_text(app, what, name, obj, options, lines):
    """Lets Sphinx read our docstrings, which are written to be read in the source.

    A formula on a line of its own becomes a literal block, and so does a Markdown table; elsewhere a bar or a star is
    that character and no markup, and `code` is code.
    """
    given, lines[:] = list(lines), []
    literal = False
    for i, line in enumerate(given):
        blank = i == 0 or not given[i - 1].strip()
        table = bool(_TABLE.match(line))
        field = line.lstrip().startswith(":")
        starts = bool(line.strip()) and blank and (table or (line.startswith("    ") and not field))
        if starts and not literal:
            lines += ["::", ""] if not lines or not lines[-1].strip() else ["", "::", ""]
            literal = True
        elif line.strip() and not line.startswith("    ") and not table:
            literal = False
        if literal:
            lines.append(f"    {line}" if line.strip() else line)
        else:
            lines.append(_inline(line))


def _inline(line):
    parts = re.split(r"(``[^`]+``|`[^`]+`)", line)
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = part if part.startswith("``") else f"`{part}`"
        else:
            parts[i] = re.sub(r"(?<!\\)([|*])", r"\\\1", part)
    return "".join(parts)


def setup(app):
    # docs/results may be empty in a checkout in which nothing has been run. Sphinx gives this warning no type to suppress.
    logger = logging.getLogger("sphinx.sphinx.directives.other")
    logger.addFilter(lambda record: "toctree glob pattern" not in str(record.msg))
    # Before napoleon (500), which turns sections into fields.
    app.connect("autodoc-process-docstring", as_restructured_text, priority=400)
