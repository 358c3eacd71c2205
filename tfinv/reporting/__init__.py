"""Results schema and its views: console, HTML, Markdown, TensorBoard, figures."""

import importlib
from typing import TYPE_CHECKING, Any

from tfinv.reporting.results import Check, Figure, Results

if TYPE_CHECKING:
    from tfinv.reporting.console import print_results
    from tfinv.reporting.html import write_html
    from tfinv.reporting.markdown import write_markdown
    from tfinv.reporting.tensorboard.summaries import write_tensorboard

__all__ = ["Check", "Figure", "Results", "print_results", "write_html", "write_markdown", "write_tensorboard"]

# Views import their libraries (rich, Jinja2, Matplotlib) on first use.
_VIEWS = {
    "print_results": "console",
    "write_html": "html",
    "write_markdown": "markdown",
    "write_tensorboard": "tensorboard.summaries",
}


def __getattr__(name: str) -> Any:
    if name in _VIEWS:
        return getattr(importlib.import_module(f"tfinv.reporting.{_VIEWS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
