"""`AuditReport`: what an audit found, for Python and for notebooks."""

import dataclasses
import html
import pathlib
from collections.abc import Mapping
from typing import Any

from tfinv.reporting.results import Results

_HEIGHT = 900  # of the page in a notebook, in pixels
_ORDER = {"poor": 0, "fair": 1, "good": 2}


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
        return "\n".join(verdict_lines(self.grades))

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


def verdict_lines(grades: list[dict[str, Any]]) -> list[str]:
    """Returns one line a question: its worst graded rule, or why it has none.

    Args:
      grades: rows of kind "grade".
    """
    lines = []
    for question in dict.fromkeys(row["question"] for row in grades):
        rows = [row for row in grades if row["question"] == question]
        disbelieved = [row for row in rows if row["state"] == "disbelieved"]
        graded = [row for row in rows if row["state"] == "graded" and row["grade"] in _ORDER]
        if disbelieved:
            lines.append(f"{question}: {disbelieved[0]['reason']}")
        elif graded:
            worst = min(graded, key=lambda row: _ORDER[row["grade"]])
            lines.append(f"{question}: {worst['grade']}, {worst['text']} {_show(worst)}")
        else:
            lines.append(f"{question}: {rows[0]['reason'] or 'nothing to grade'}")
    return lines


def _show(row: dict[str, Any]) -> str:
    """The value of a grade, with its interval."""
    is_percent = row.get("format") == "percent"

    def number(value: float) -> str:
        return f"{100 * value:.1f} %" if is_percent else f"{value:.3g}"

    interval = row.get("ci95")
    if row.get("value") is None:
        return ""
    bounds = f" [{number(interval[0])}, {number(interval[1])}]" if interval else ""
    return f"{number(row['value'])}{bounds}"
