"""The tables of a report, as data that the console, the HTML page and TensorBoard lay out each in its way."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.reporting.rows import attack_names, epsilons, is_artefact, show_eps, unique
from tfinv.reporting.summary import Row, Summary, group, number, summarise

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
    """

    title: str
    stubs: tuple[str, ...]
    headings: tuple[str, ...]
    lines: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()
    doubtful: frozenset[str] = frozenset()


def accuracy_table(rows: Sequence[Row]) -> Table | None:
    """Accuracy of each experiment at each eps, a column an attack, and the poster's figure if any."""
    if not rows:
        return None
    names = attack_names(rows)
    groups = group([dict(r) | {"attack": names[i]} for i, r in enumerate(rows)], "experiment", "eps", "attack")
    cells = {key: summarise(runs, "accuracy") for key, runs in groups.items()}
    style = _Style(list(cells.values()), percent)
    attacks = _in_order(rows, names)
    posters = group([r for r in rows if r.get("poster") is not None], "experiment", "eps")
    lines = []
    for experiment in unique(r["experiment"] for r in rows):
        for eps in epsilons(r for r in rows if r["experiment"] == experiment):
            told = unique(percent(number(r, "poster") or 0.0) for r in posters.get((experiment, eps), []))
            poster = [Cell(" / ".join(told) or MISSING)] if posters else []
            ours = [style.cell(cells.get((experiment, eps, a))) for a in attacks]
            lines.append(((str(experiment), show_eps(eps)), (*poster, *ours)))
    doubtful = frozenset(names[i] for i, r in enumerate(rows) if is_artefact(r))
    notes = style.notes()
    if posters:
        notes += ("poster: the figure that the reproduced work states.",)
    if doubtful:
        notes += ("artefact: what a wrong measurement would print. It is no evidence of robustness.",)
    return Table(
        title="Accuracy, %",
        stubs=("experiment", "eps"),
        headings=(*(["poster"] if posters else []), *attacks),
        lines=tuple(lines),
        notes=("eps is a fraction of the width of the input range.", *notes),
        doubtful=doubtful,
    )


def attack_table(rows: Sequence[Row]) -> Table | None:
    """How each attack was run, and what it really did: the figures by which masked gradients are found."""
    names = attack_names(rows)
    attacked = [dict(r) | {"attack": names[i]} for i, r in enumerate(rows) if r["attack"] != "none"]
    columns = {
        "norm": "norm",
        "largest distance": "max_distance",
        "mean distance": "mean_distance",
        "zero gradients, %": "zero_gradients",
        "seconds": "seconds",
        "attack in full": "spec",
    }
    shown = {h: k for h, k in columns.items() if any(r.get(k) is not None for r in attacked)}
    if not shown:
        return None
    lines = []
    for key, runs in group(attacked, "experiment", "attack", "eps").items():
        cells = []
        for field in shown.values():
            if field in ("norm", "spec"):
                cells.append(Cell(", ".join(unique(str(r[field]) for r in runs if r.get(field))) or MISSING))
            else:
                show = percent if field == "zero_gradients" else significant
                # A distance that one run overstepped would vanish in the mean of the runs.
                found = summarise(runs, field)
                value = found.most if field == "max_distance" else found.mean
                cells.append(Cell() if value is None else Cell(show(value)))
        lines.append(((str(key[0]), str(key[1]), show_eps(key[2])), tuple(cells)))
    return Table(
        title="Attacks as they ran",
        stubs=("experiment", "attack", "eps"),
        headings=tuple(shown),
        lines=tuple(lines),
        notes=("Distances are as realised, in units of the input bounds; the largest is that of all seeds.",),
    )


def inversion_tables(rows: Sequence[Row]) -> list[Table]:
    """One table a method and budget: measures down, experiments across."""
    tables = []
    for (method, budget), some in group(rows, "method", "budget").items():
        experiments = unique(r["experiment"] for r in some)
        groups = group(some, "measure", "evaluator", "experiment")
        cells = {key: summarise(runs, "value") for key, runs in groups.items()}
        style = _Style(list(cells.values()), significant)
        lines = []
        for (measure, evaluator), same in group(some, "measure", "evaluator").items():
            names = (str(measure), str(evaluator or MISSING), _direction(same))
            found = [style.cell(cells.get((measure, evaluator, e))) for e in experiments]
            lines.append((names, tuple(found)))
        tables.append(
            Table(
                title=f"Inversion by {method}, budget: {budget}",
                stubs=("measure", "evaluator", "reveals more when"),
                headings=tuple(map(str, experiments)),
                lines=tuple(lines),
                notes=style.notes(),
            )
        )
    return tables


def training_table(rows: Sequence[Row]) -> Table | None:
    """What training reached and what it took: experiments down, metrics across."""
    if not rows:
        return None
    metrics = unique(r["metric"] for r in rows)
    cells = {key: summarise(runs, "value") for key, runs in group(rows, "experiment", "metric").items()}
    style = _Style(list(cells.values()), significant)
    cost = {k: k for k in ("epochs", "seconds") if any(r.get(k) is not None for r in rows)}
    lines = []
    for (experiment,), runs in group(rows, "experiment").items():
        found = [style.cell(cells.get((experiment, m))) for m in metrics]
        # Each metric repeats its run's cost, so the mean over all rows is the mean over the runs.
        means = [summarise(runs, k).mean for k in cost]
        found += [Cell() if m is None else Cell(significant(m)) for m in means]
        lines.append(((str(experiment),), tuple(found)))
    headings = (*map(str, metrics), *cost)
    return Table("What training reached and took", ("experiment",), headings, tuple(lines), style.notes())


def mapping_table(title: str, stub: str, mapping: Mapping[str, Any]) -> Table | None:
    """A nested mapping as a table of dotted names and values."""
    lines = tuple(((name,), (Cell(value),)) for name, value in _flat(mapping))
    return Table(title, (stub,), ("value",), lines) if lines else None


def percent(value: float) -> str:
    """A rate as a percentage with one decimal, without the sign."""
    return f"{100 * value:.1f}"


def significant(value: float) -> str:
    """A number with three significant digits, or as a whole number where it has more digits than that."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class _Style:
    """Says once, under the table, what holds for all its cells; in the cells only what differs."""

    def __init__(self, summaries: Sequence[Summary], show: Any):
        self._show = show
        self._all = [s for s in summaries if s.mean is not None]
        self._one_n = len({s.n for s in self._all}) == 1
        self._one_count = len({(s.runs, s.seeds, s.lost) for s in self._all}) == 1

    def cell(self, summary: Summary | None) -> Cell:
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
        notes = []
        if any(s.runs > 1 for s in self._all):
            over = f"over {_count(self._all[0])}" if self._one_count else "over the seeds"
            notes.append(f"Each figure is the mean {over}; a{MISSING}b: the lowest and the highest, where they differ.")
        if any(s.low is not None for s in self._all):
            wide = ", of several seeds from the lowest bound to the highest" * any(s.runs > 1 for s in self._all)
            notes.append(f"[a, b]: 95 % interval{wide}.")
        if self._one_n and self._all[0].n is not None:
            each = " in each run" if self._all[0].runs > 1 else ""
            notes.append(f"n = {self._all[0].n:,}{each}.")
        return tuple(notes)


def _count(summary: Summary) -> str:
    total = summary.runs + summary.lost
    if summary.lost:
        return f"{summary.runs} of {total} runs"
    if summary.seeds != summary.runs:
        return f"{summary.runs} runs of {summary.seeds} seed{'s' * (summary.seeds != 1)}"
    return f"{summary.seeds} seed{'s' * (summary.seeds != 1)}"


def _direction(rows: Sequence[Row]) -> str:
    told = unique(str(r["better"]) for r in rows if r.get("better"))
    return " / ".join(told) or MISSING


def _in_order(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    # Clean first, artefacts last: what counts is read before what does not.
    order = {n: (r["attack"] != "none", is_artefact(r)) for r, n in zip(rows, names, strict=True)}
    return sorted(order, key=order.__getitem__)


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [x for k, v in value.items() for x in _flat(v, f"{name}.{k}" if name else str(k))]
    if not name:
        return []
    return [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]
