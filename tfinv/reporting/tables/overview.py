"""Defences down, attacks across: which defence holds against which attack, in one figure each."""

import statistics
from collections.abc import Callable, Sequence

from tfinv.evaluation.measurement import HELD_OUT
from tfinv.reporting.cells import Cell, Table, percent, significant
from tfinv.reporting.rows import unique
from tfinv.reporting.summary import Row, summarise

_TESTED, _DECODED = "test accuracy, %", "fresh-decoder error"

_Value = Callable[[Sequence[Row]], float | None]


def overview_tables(attacks: Sequence[Row], references: Sequence[Row], aside: Sequence[Row]) -> list[Table]:
    """Acc@1, and the feature distance over that of held-out images, as means over the evaluators; the details are elsewhere.

    Args:
      attacks: rows of kind "inversion" of attacks.
      references: those of references.
      aside: rows of the measures "test accuracy" and "relative_error".

    Returns:
      A table for each of the two that there are rows for; none of a single experiment or attack, which has nothing to compare.
    """
    experiments = unique(r["experiment"] for r in attacks)
    columns = unique((r["method"], r.get("budget")) for r in attacks)
    if len(experiments) < 2 or len(columns) < 2:
        return []
    real = {
        r.get("evaluator"): r["value"]
        for r in references
        if r["experiment"] == HELD_OUT and r["measure"] == "feature_distance"
    }
    found = []
    for measure, title, value, show, note in (
        ("acc@1", "Acc@1, %: what others recognise", _mean, percent, "Higher reveals more."),
        (
            "feature_distance",
            "Feature distance to the nearest training image of the class, over that of held-out images",
            _relative(real),
            significant,
            "Lower reveals more; at 1 it is as near as a real image that was not trained on.",
        ),
    ):
        rows = [r for r in attacks if r["measure"] == measure]
        if not rows or (measure == "feature_distance" and not real):
            continue
        lines = []
        for experiment in experiments:
            own = [r for r in rows if r["experiment"] == experiment]
            cells = [_cell([r for r in own if (r["method"], r.get("budget")) == c], value, show) for c in columns]
            about = [r for r in aside if r["experiment"] == experiment]
            tested = _cell([r for r in about if r["measure"] != "relative_error"], _mean, percent)
            decoded = _cell([r for r in about if r["measure"] == "relative_error"], _mean, significant)
            lines.append(((str(experiment),), (tested, *cells, decoded)))
        headings = (_TESTED, *(f"{m} {b}" if b else str(m) for m, b in columns), _DECODED)
        notes = (
            f"Means over the evaluators and seeds. {note}",
            "Intervals and each evaluator's own figures are in the next tables.",
        )
        found.append(Table(title, ("defence",), headings, tuple(lines), notes))
    return found


def _mean(rows: Sequence[Row]) -> float | None:
    """Of each evaluator's mean over seeds."""
    means = [
        summarise([r for r in rows if r.get("evaluator") == e], "value").mean
        for e in unique(r.get("evaluator") for r in rows)
    ]
    known = [m for m in means if m is not None]
    return statistics.fmean(known) if known else None


def _relative(real: dict[str | None, float]) -> _Value:
    def value(rows: Sequence[Row]) -> float | None:
        return _mean(
            [dict(r) | {"value": r["value"] / real[r.get("evaluator")]} for r in rows if real.get(r.get("evaluator"))]
        )

    return value


def _cell(rows: Sequence[Row], value: _Value, show: Callable[[float], str]) -> Cell:
    found = value(rows) if rows else None
    return Cell() if found is None else Cell(show(found))
