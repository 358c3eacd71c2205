"""`AuditReport`: what an audit found, for Python and for notebooks."""

import dataclasses
import html
import pathlib
from collections.abc import Mapping
from typing import Any

from tfinv.reporting.results import Results
from tfinv.reporting.tables.grades import question_verdicts

_HEIGHT = 900  # of the page in a notebook, in pixels


@dataclasses.dataclass(frozen=True, eq=False)
class AuditReport:
    """Findings of an audit. A notebook shows its page, and `print` its verdict.

    Attributes:
      results: rows, checks and figures.
      path: folder with all files.
      page: the report.
      gates: names of the rules at which the audit fails; empty for none.
      files: exports and the table of images, by name.
    """

    results: Results
    path: pathlib.Path
    page: pathlib.Path
    gates: tuple[str, ...] = ()
    files: Mapping[str, pathlib.Path] = dataclasses.field(default_factory=dict)

    @property
    def grades(self) -> list[dict[str, Any]]:
        """Rows of kind "grade"."""
        return self.results.rows_of("grade")

    def __str__(self) -> str:
        return "\n".join(verdict.sentence for verdict in question_verdicts(self.grades))

    def __repr__(self) -> str:
        return f"AuditReport({str(self.path)!r}, gates={list(self.gates)})"

    def _repr_html_(self) -> str:
        """The page in a frame of its own: its styles stay off the notebook, and it runs no script."""
        text = html.escape(self.page.read_text(encoding="utf-8"), quote=True)
        title = "Report of the audit"
        return (
            f'<iframe title="{title}" srcdoc="{text}" sandbox="" loading="lazy" '
            f'style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'
        )
