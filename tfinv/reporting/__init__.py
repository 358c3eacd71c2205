"""The results schema and its views: console, HTML, TensorBoard, figures."""

import importlib
from typing import TYPE_CHECKING, Any

from tfinv.reporting.results import Check, Figure, Results

if TYPE_CHECKING:
    from tfinv.reporting.console import print_results
    from tfinv.reporting.html import write_html
    from tfinv.reporting.markdown import write_markdown
    from tfinv.reporting.tensorboard import write_tensorboard

__all__ = ["Check", "Figure", "Results", "print_results", "write_html", "write_markdown", "write_tensorboard"]

# A view brings its library (rich, Jinja2 and Matplotlib) when it is first asked for.
_VIEWS = {
    "print_results": "console",
    "write_html": "html",
    "write_markdown": "markdown",
    "write_tensorboard": "tensorboard",
}


def __getattr__(name: str) -> Any:
    if name in _VIEWS:
        return getattr(importlib.import_module(f"tfinv.reporting.{_VIEWS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
