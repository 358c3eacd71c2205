"""Environment of the templates of all pages: every text is escaped, and a missing one is an error."""

from typing import Any

import jinja2

from tfinv.reporting.results.rows import readable
from tfinv.reporting.tables.grades import SYMBOLS


def environment(**functions: Any) -> jinja2.Environment:
    """Returns the environment.

    Args:
      **functions: that the templates call by these names.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfinv.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: readable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    environment.globals |= {"symbols": SYMBOLS, **functions}
    return environment
