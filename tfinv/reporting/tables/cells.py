"""Tables and their cells, as text: numbers with their ranges, intervals and counts."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfinv.reporting.results.summary import Summary

MISSING = "\N{EN DASH}"  # where nothing was measured; not 0


@dataclasses.dataclass(frozen=True)
class Cell:
    """One number as text.

    Attributes:
      text: the number.
      notes: what qualifies it: a range, an interval, a count.
      share: length of its bar, in [0, 1]; None for a cell without a bar.
    """

    text: str = MISSING
    notes: tuple[str, ...] = ()
    share: float | None = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first columns (the stub) name the row.

    Attributes:
      title: of the table, with the unit.
      stubs: headings of the columns that name a row.
      headings: of the other columns.
      lines: names (one per stub) and cells (one per heading) of each row.
      notes: sentences under the table that explain it.
      artefacts: headings of the columns that reproduce a wrong measurement, and are no evidence.
      references: number of leading lines that are references, which no attack made.
      prose: whether the cells are texts and not numbers.
    """

    title: str
    stubs: tuple[str, ...]
    headings: tuple[str, ...]
    lines: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()
    artefacts: frozenset[str] = frozenset()
    references: int = 0
    prose: bool = False


def percent(value: float) -> str:
    """Formats a rate as a percentage with one decimal, without the sign."""
    return f"{100 * value:.1f}"


def significant(value: float) -> str:
    """Formats a number with three significant digits, or as a whole number from 1,000 on."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Formatter:
    """Formats summaries as cells, and puts into notes under the table whatever holds for all of them."""

    def __init__(self, summaries: Sequence[Summary], show: Any):
        self._show = show
        self._summaries = [s for s in summaries if s.mean is not None]
        self._same_n = len({s.n for s in self._summaries}) == 1
        self._same_runs = len({(s.runs, s.seeds, s.missing) for s in self._summaries}) == 1

    def cell(self, summary: Summary | None) -> Cell:
        """Returns the mean with its range and interval, and with n and runs if they are not the same in all cells."""
        if summary is None:
            return Cell()
        if summary.mean is None:
            return Cell(notes=("no figure",))
        parts = []
        if self._show(summary.minimum) != self._show(summary.maximum):
            parts.append(f"{self._show(summary.minimum)}{MISSING}{self._show(summary.maximum)}")
        if summary.low is not None:
            parts.append(f"[{self._show(summary.low)}, {self._show(summary.high)}]")
        if not self._same_runs:
            parts.append(_count(summary))
        if not self._same_n and summary.n is not None:
            parts.append(f"n {summary.n:,}")
        share = min(1.0, max(0.0, summary.mean)) if self._show is percent else None
        return Cell(self._show(summary.mean), tuple(parts), share)

    def notes(self) -> tuple[str, ...]:
        """Returns sentences on whatever holds for all cells."""
        notes = []
        if any(s.runs > 1 for s in self._summaries):
            runs = _count(self._summaries[0]) if self._same_runs else "the seeds"
            notes.append(
                f"Each figure is the mean over {runs}; a{MISSING}b: the lowest and the highest, where they differ."
            )
        if any(s.low is not None for s in self._summaries):
            extent = ", of several seeds from the lowest bound to the highest" * any(
                s.runs > 1 for s in self._summaries
            )
            if any(s.pooled for s in self._summaries):
                extent = " over the samples of all seeds"
            notes.append(f"[a, b]: 95 % interval{extent}.")
        if self._same_n and self._summaries[0].n is not None:
            per_run = " in each run" if self._summaries[0].runs > 1 and not self._summaries[0].pooled else ""
            notes.append(f"n = {self._summaries[0].n:,}{per_run}.")
        return tuple(notes)


def _count(summary: Summary) -> str:
    total = summary.runs + summary.missing
    if summary.missing:
        return f"{summary.runs} of {total} runs"
    if summary.seeds != summary.runs:
        return f"{summary.runs} runs of {summary.seeds} seed{'s' * (summary.seeds != 1)}"
    return f"{summary.seeds} seed{'s' * (summary.seeds != 1)}"
