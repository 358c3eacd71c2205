"""Paths as a shell reads them: `~`, `~USER`, `$NAME` and `${NAME}`, wherever a user names a file or a folder."""

import os
import pathlib
import re

from tfinv.errors import expected

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def expand_text(text: str) -> str:
    """The text of a path with the home folder and the environment variables that it names; without either, the text itself.

    A path that exists as it is written is taken so, since a file's name may hold a dollar sign; `./~` is a folder called `~`.

    Raises:
      UserError: there is no such user, or a variable is not set. A shell would read nothing in its place, and write elsewhere.
    """
    if text.startswith("~"):
        text = os.path.expanduser(text)
        if text.startswith("~"):
            raise expected("the home folder of a user of this machine", text, "Write the path in full.")
    if "$" not in text or os.path.lexists(text):
        return text
    unset = [name for match in _VARIABLE.finditer(text) if (name := match[1] or match[2]) not in os.environ]
    if unset:
        raise expected(f"environment variables that are set in {text}", f"no ${unset[0]}", f"Set {unset[0]}.")
    return os.path.expandvars(text)


def expand(path: str | os.PathLike[str]) -> pathlib.Path:
    """The path of a file or folder, which need not exist, as `expand_text` reads it.

    Raises:
      UserError: see `expand_text`.
    """
    text = expand_text(os.fspath(path))
    # Without its "./" a folder called "~" would be read as the home folder the next time.
    return pathlib.Path.cwd() / text if str(pathlib.Path(text)).startswith("~") else pathlib.Path(text)
