"""What a table is made of: figures as text, and what qualifies them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfinv.reporting.summary import Summary

MISSING = "\N{EN DASH}"  # not 0: nothing was measured there


@dataclasses.dataclass(frozen=True)
class Cell:
    """One figure: its text, and in `notes` what qualifies it (a spread, an interval, a count)."""

    text: str = MISSING
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first columns (`stubs`) name the row.

    Attributes:
      title: what it shows, with the unit.
      notes: sentences that the reader needs to read it.
      stubs: headings of the columns that name a row.
      headings: headings of the other columns.
      lines: for each row, its names (one a stub) and its cells (one a heading).
      doubtful: the headings of columns that are no evidence (artefacts of a wrong measurement).
      references: how many of the first lines are references, which no attack made.
      prose: whether the cells are texts and not figures.
    """

    title: str
    stubs: tuple[str, ...]
    headings: tuple[str, ...]
    lines: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()
    doubtful: frozenset[str] = frozenset()
    references: int = 0
    prose: bool = False


def percent(value: float) -> str:
    """A rate as a percentage with one decimal, without the sign."""
    return f"{100 * value:.1f}"


def significant(value: float) -> str:
    """A number with three significant digits, or as a whole number where it has more digits than that."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Style:
    """Says once, under the table, what holds for all its cells; in the cells only what differs."""

    def __init__(self, summaries: Sequence[Summary], show: Any):
        self._show = show
        self._all = [s for s in summaries if s.mean is not None]
        self._one_n = len({s.n for s in self._all}) == 1
        self._one_count = len({(s.runs, s.seeds, s.lost) for s in self._all}) == 1

    def cell(self, summary: Summary | None) -> Cell:
        """The figure, with its spread and interval, and with its n and runs where they are not those of all."""
        if summary is None:
            return Cell()
        if summary.mean is None:
            return Cell(notes=("no figure",))
        parts = []
        if self._show(summary.least) != self._show(summary.most):
            parts.append(f"{self._show(summary.least)}{MISSING}{self._show(summary.most)}")
        if summary.low is not None:
            parts.append(f"[{self._show(summary.low)}, {self._show(summary.high)}]")
        if not self._one_count:
            parts.append(_count(summary))
        if not self._one_n and summary.n is not None:
            parts.append(f"n {summary.n:,}")
        return Cell(self._show(summary.mean), tuple(parts))

    def notes(self) -> tuple[str, ...]:
        """What holds for all cells, in sentences."""
        notes = []
        if any(s.runs > 1 for s in self._all):
            over = f"over {_count(self._all[0])}" if self._one_count else "over the seeds"
            notes.append(f"Each figure is the mean {over}; a{MISSING}b: the lowest and the highest, where they differ.")
        if any(s.low is not None for s in self._all):
            wide = ", of several seeds from the lowest bound to the highest" * any(s.runs > 1 for s in self._all)
            if any(s.pooled for s in self._all):
                wide = " over the samples of all seeds"
            notes.append(f"[a, b]: 95 % interval{wide}.")
        if self._one_n and self._all[0].n is not None:
            each = " in each run" if self._all[0].runs > 1 and not self._all[0].pooled else ""
            notes.append(f"n = {self._all[0].n:,}{each}.")
        return tuple(notes)


def _count(summary: Summary) -> str:
    total = summary.runs + summary.lost
    if summary.lost:
        return f"{summary.runs} of {total} runs"
    if summary.seeds != summary.runs:
        return f"{summary.runs} runs of {summary.seeds} seed{'s' * (summary.seeds != 1)}"
    return f"{summary.seeds} seed{'s' * (summary.seeds != 1)}"
