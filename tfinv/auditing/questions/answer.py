"""`Answer`: what a question of the audit found, and its form on disk, whole or absent."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfinv.evaluation.check import Check
from tfinv.reporting.results import Figure
from tfinv.reporting.results.results import to_plain
from tfinv.runs.workdir import Workdir

Rows = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Answer:
    """Findings of one question.

    Attributes:
      rows: of the results.
      checks: of whether to believe them.
      figures: whose files are in the workdir.
      columns: of the table of images: "split" and "index" (n,), and further ones of the same length.
      reason: why the question was not asked; None if it was.
      seconds: that it took.
    """

    rows: Rows = dataclasses.field(default_factory=list)
    checks: list[Check] = dataclasses.field(default_factory=list)
    figures: list[Figure] = dataclasses.field(default_factory=list)
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    reason: str | None = None
    seconds: float = 0.0

    @classmethod
    def not_asked(cls, reason: str) -> "Answer":
        """Returns the answer of a question that was not asked."""
        return cls(reason=reason)

    def keep(self, name: str, workdir: Workdir) -> dict[str, Any]:
        """Stores the columns, and returns the rest as a JSON object."""
        workdir.arrays(f"columns-{name}", lambda: dict(self.columns))
        fields = ("rows", "reason", "seconds")
        parts = {part: [dataclasses.asdict(item) for item in getattr(self, part)] for part in ("checks", "figures")}
        return {field: getattr(self, field) for field in fields} | parts

    @classmethod
    def stored(cls, name: str, workdir: Workdir, make: Callable[[], "Answer"]) -> "Answer":
        """Returns the answer that `make` gives, which is asked once; then it is read from the workdir."""
        value = workdir.json(f"question-{name}", lambda: to_plain(make().keep(name, workdir)))
        columns = workdir.arrays(f"columns-{name}", dict)
        checks, figures = [Check(**c) for c in value["checks"]], [Figure(**f) for f in value["figures"]]
        return cls(value["rows"], checks, figures, columns, value["reason"], value["seconds"])
