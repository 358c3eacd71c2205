"""Overview tables of inversions: one line per defence, one column per attack."""

import statistics
from collections.abc import Callable, Sequence

from tfinv.evaluation.statistics.measurement import HELD_OUT
from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, summarise
from tfinv.reporting.tables.cells import Cell, Table, percent, significant

_ACCURACY, _ERROR = "test accuracy, %", "fresh-decoder error"

_Value = Callable[[Sequence[Row]], float | None]


def overview_tables(attacks: Sequence[Row], references: Sequence[Row], models: Sequence[Row]) -> list[Table]:
    """Tabulates Acc@1, and the feature distance relative to that of held-out images, as means over the evaluators.

    Args:
      attacks: rows of kind "inversion" of attacks.
      references: rows of kind "inversion" of references.
      models: rows of the models themselves, of the measures "test accuracy" and "relative_error".

    Returns:
      One table per measure that has rows; none for a single experiment or a single attack, where there is nothing to compare.
    """
    experiments = unique(r["experiment"] for r in attacks)
    columns = unique((r["method"], r.get("budget")) for r in attacks)
    if len(experiments) < 2 or len(columns) < 2:
        return []
    held_out = {
        r.get("evaluator"): r["value"]
        for r in references
        if r["experiment"] == HELD_OUT and r["measure"] == "feature_distance"
    }
    tables = []
    for measure, title, value, show, note in (
        ("acc@1", "Acc@1, %: what others recognise", _mean, percent, "Higher reveals more."),
        (
            "feature_distance",
            "Feature distance to the nearest training image of the class, over that of held-out images",
            _relative(held_out),
            significant,
            "Lower reveals more; at 1 it is as near as a real image that was not trained on.",
        ),
    ):
        rows = [r for r in attacks if r["measure"] == measure]
        if not rows or (measure == "feature_distance" and not held_out):
            continue
        lines = []
        for experiment in experiments:
            inversions = [r for r in rows if r["experiment"] == experiment]
            cells = [
                _cell([r for r in inversions if (r["method"], r.get("budget")) == c], value, show) for c in columns
            ]
            model = [r for r in models if r["experiment"] == experiment]
            accuracy = _cell([r for r in model if r["measure"] != "relative_error"], _mean, percent)
            error = _cell([r for r in model if r["measure"] == "relative_error"], _mean, significant)
            lines.append(((str(experiment),), (accuracy, *cells, error)))
        headings = (_ACCURACY, *(f"{m} {b}" if b else str(m) for m, b in columns), _ERROR)
        notes = (
            f"Means over the evaluators and seeds. {note}",
            "Intervals and each evaluator's own figures are in the next tables.",
        )
        tables.append(Table(title, ("defence",), headings, tuple(lines), notes))
    return tables


def _mean(rows: Sequence[Row]) -> float | None:
    """Returns the mean over the evaluators of their means over the seeds."""
    means = [
        summarise([r for r in rows if r.get("evaluator") == e], "value").mean
        for e in unique(r.get("evaluator") for r in rows)
    ]
    values = [m for m in means if m is not None]
    return statistics.fmean(values) if values else None


def _relative(held_out: dict[str | None, float]) -> _Value:
    def value(rows: Sequence[Row]) -> float | None:
        return _mean(
            [
                dict(r) | {"value": r["value"] / held_out[r.get("evaluator")]}
                for r in rows
                if held_out.get(r.get("evaluator"))
            ]
        )

    return value


def _cell(rows: Sequence[Row], value: _Value, show: Callable[[float], str]) -> Cell:
    figure = value(rows) if rows else None
    return Cell() if figure is None else Cell(show(figure))
