"""Tables of calibration and of accuracy under corruptions."""

from collections.abc import Sequence

from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, group, number, summarise
from tfinv.reporting.tables.cells import Cell, Formatter, Table, percent, significant

MEASURES = {
    "ece": "expected calibration error, %",
    "overconfidence": "confidence less accuracy, points",
    "brier": "Brier score",
    "nll": "negative log-likelihood",
}
_IN_PERCENT = ("ece", "overconfidence")
_CLEAN = "clean"
_LAST = 2.0  # beyond all accuracies


def calibration_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the measures of calibration: one line an experiment.

    Args:
      rows: of kind "calibration".
    """
    if not rows:
        return None
    measures = unique(str(r["measure"]) for r in rows)
    formatters = {}
    for measure in measures:
        summaries = [
            summarise(r, "value") for r in group([r for r in rows if r["measure"] == measure], "experiment").values()
        ]
        formatters[measure] = Formatter(summaries, percent if measure in _IN_PERCENT else significant)
    lines = []
    for (experiment,), runs in group(rows, "experiment").items():
        cells = [formatters[m].cell(_summary(runs, m)) for m in measures]
        lines.append(((str(experiment),), tuple(Cell(c.text, c.notes) for c in cells)))
    notes = unique(note for formatter in formatters.values() for note in formatter.notes())
    return Table(
        title="Errors of the confidence",
        stubs=("experiment",),
        headings=tuple(MEASURES.get(m, m) for m in measures),
        lines=tuple(lines),
        notes=(
            "All are 0 for a model that is right exactly as often as it is sure, or surely right; lower is better.",
            *notes,
        ),
    )


def reliability_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates confidence and accuracy in each bin of the confidence that holds images.

    Args:
      rows: of kind "reliability".
    """
    rows = [r for r in rows if r.get("n")]
    if not rows:
        return None
    lines = []
    for row in rows:
        summary = summarise([row], "accuracy")
        interval = "" if summary.low is None else f"[{percent(summary.low)}, {percent(summary.high or 0.0)}]"
        accuracy = (
            Cell()
            if summary.mean is None
            else Cell(percent(summary.mean), (interval,) if interval else (), summary.mean)
        )
        confidence = number(row, "confidence")
        sure = Cell() if confidence is None else Cell(percent(confidence), (), confidence)
        names = (str(row["experiment"]), f"{percent(row['low'])} to {percent(row['high'])}")
        lines.append((names, (sure, accuracy, Cell(f"{row['n']:,.0f}"))))
    return Table(
        title="Confidence and accuracy, %",
        stubs=("experiment", "confidence between"),
        headings=("mean confidence", "accuracy", "n"),
        lines=tuple(lines),
        notes=("[a, b]: 95 % interval.",),
    )


def corruption_table(rows: Sequence[Row], clean: Sequence[Row] = ()) -> Table | None:
    """Tabulates the accuracy under each corruption at each severity, the mean of which orders the lines: worst first.

    Args:
      rows: of kind "corruption".
      clean: rows of kind "accuracy", for a line without corruption.
    """
    if not rows:
        return None
    severities = sorted({r["severity"] for r in rows})
    groups = group(rows, "experiment", "corruption")
    cells = {
        key: [summarise([r for r in runs if r["severity"] == s], "accuracy") for s in severities]
        for key, runs in groups.items()
    }
    references = {
        e: summarise([r for r in clean if r["experiment"] == e and r["attack"] == "none"], "accuracy")
        for e in unique(r["experiment"] for r in rows)
    }
    means = {key: summarise(groups[key], "accuracy").mean for key in groups}
    order = {key: _LAST if mean is None else mean for key, mean in means.items()}
    formatter = Formatter([s for line in cells.values() for s in line], percent)
    lines = []
    for experiment in references:
        keys = sorted((k for k in cells if k[0] == experiment), key=order.__getitem__)
        for key in keys:
            mean = means[key]
            average = Cell() if mean is None else Cell(percent(mean), (), mean)
            lines.append(((str(experiment), str(key[1])), (*(formatter.cell(s) for s in cells[key]), average)))
    stated = [
        f"{_CLEAN}: {percent(s.mean)} % of {experiment}" + (f" (n = {s.n:,})" if s.n else "") + "."
        for experiment, s in references.items()
        if s.mean is not None
    ]
    return Table(
        title="Accuracy under corruptions, %",
        stubs=("experiment", "corruption"),
        headings=(*(f"severity {s:g}" for s in severities), "mean"),
        lines=tuple(lines),
        notes=(*stated, "Worst first.", *formatter.notes()),
    )


def _summary(rows: Sequence[Row], measure: str):
    chosen = [r for r in rows if r["measure"] == measure]
    return summarise(chosen, "value") if chosen else None
