"""Tables of inversions: knowledge of each attacker, comparison of defences and attacks, all measures."""

from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from tfinv.evaluation.statistics.measurement import FRESH_DECODER, REFERENCE
from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, group, summarise
from tfinv.reporting.tables.cells import MISSING, Cell, Formatter, Table, percent, significant
from tfinv.reporting.tables.overview import overview_tables

# Measures of a comparison: recognition by the evaluators, and distance to the training images.
HEADLINE = ("acc@1", "feature_distance")
_RATES = ("acc@1", "acc@5")
_ACCURACY = "test accuracy"
_ERROR = "fresh-decoder error"

# Rows of each line, by the names in its stub.
_Lines = dict[tuple[str, ...], list[Row]]


class _Column(NamedTuple):
    """A column of a comparison: one measure of one evaluator."""

    name: str  # as notes refer to it
    heading: str
    show: Callable[[float], str]
    matches: Callable[[Row], bool]  # whether a row belongs to it


def knowledge_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the attacker's knowledge, one line per method; None if no row has it."""
    if not any(r.get("knowledge") for r in rows):
        return None
    lines = []
    for (method,), method_rows in group([r for r in rows if r["method"] != REFERENCE], "method").items():
        lines.append(((str(method),), (Cell("\n".join(_knowledge(method_rows)) or "not said"),)))
    return Table("By method", ("method",), ("beside the labels",), tuple(lines), prose=True)


def comparison_tables(
    rows: Sequence[Row], training: Sequence[Row] = (), measures: Sequence[str] = HEADLINE
) -> list[Table]:
    """Compares defences: an overview, then one table per attack and budget, with references first and one line per defence.

    With a single experiment it compares the attacks instead: one table, with one line per attack and budget.

    Args:
      rows: rows of kind "inversion".
      training: rows of kind "training", for the test accuracy.
      measures: to be shown, each by each of its evaluators.

    Returns:
      The tables; none if no attack has any of `measures`.
    """
    references = [r for r in rows if r["method"] == REFERENCE]
    attacks = [r for r in rows if r["method"] not in (REFERENCE, FRESH_DECODER)]
    models = [r for r in rows if r["method"] == FRESH_DECODER and r["measure"] == "relative_error"]
    accuracies = [r for r in training if r["metric"] == "test_accuracy"]
    models += [dict(r) | {"measure": _ACCURACY, "method": "training"} for r in accuracies]
    if not any(r["measure"] in measures for r in attacks):
        return []
    experiments = unique(r["experiment"] for r in attacks)
    if len(experiments) == 1:
        models = [r for r in models if r["experiment"] == experiments[0]]
        attack_lines: _Lines = {
            (str(method), str(budget or MISSING)): [*attack_rows, *models]
            for (method, budget), attack_rows in group(attacks, "method", "budget").items()
        }
        general = [r for r in references if r.get("of") is None]
        return [_comparison("Attacks compared", ("attack", "budget"), attack_lines, general, measures, ())]
    tables = overview_tables(attacks, references, models)
    for (method, budget), attack_rows in group(attacks, "method", "budget").items():
        if not any(r["measure"] in measures for r in attack_rows):
            continue
        lines: _Lines = {
            (str(e),): [r for r in (*attack_rows, *models) if r["experiment"] == e]
            for e in unique(r["experiment"] for r in attack_rows)
        }
        comparable = [r for r in references if r.get("of") in (None, method)]
        notes = tuple(f"The attacker had: {k}." for k in _knowledge(attack_rows))
        tables.append(_comparison(_title(method, budget), ("defence",), lines, comparable, measures, notes))
    return tables


def inversion_tables(rows: Sequence[Row]) -> list[Table]:
    """Tabulates all measures: one table per method and budget, references first; one column per experiment."""
    tables = []
    blocks = sorted(group(rows, "method", "budget").items(), key=lambda b: b[0][0] != REFERENCE)
    for (method, budget), block_rows in blocks:
        reference = method == REFERENCE
        named = [_with_full_name(r) for r in block_rows]
        experiments = unique(r["experiment"] for r in named)
        cells = {
            key: summarise(runs, "value") for key, runs in group(named, "measure", "evaluator", "experiment").items()
        }
        formatter = Formatter(list(cells.values()), significant)
        lines = []
        for (measure, evaluator), measure_rows in group(named, "measure", "evaluator").items():
            names = (str(measure), str(evaluator or MISSING), _direction(measure_rows))
            lines.append((names, tuple(formatter.cell(cells.get((measure, evaluator, e))) for e in experiments)))
        knowledge = () if reference else tuple(f"The attacker had: {k}." for k in _knowledge(block_rows))
        tables.append(
            Table(
                title="References: no attack made these images"
                if reference
                else f"Inversion by {_title(method, budget)}",
                stubs=("measure", "evaluator", "reveals more when"),
                headings=tuple(experiments),
                lines=tuple(lines),
                notes=(*knowledge, *formatter.notes()),
            )
        )
    return tables


def _comparison(
    title: str,
    stubs: tuple[str, ...],
    lines: _Lines,
    references: Sequence[Row],
    measures: Sequence[str],
    notes: tuple[str, ...],
) -> Table:
    rows = [r for line_rows in lines.values() for r in line_rows]
    columns = _columns(rows, measures)
    blank = (MISSING,) * (len(stubs) - 1)
    named = group(map(_with_full_name, references), "experiment")
    reference_lines: _Lines = {(f"reference: {e}", *blank): line_rows for (e,), line_rows in named.items()}
    body: dict[tuple[str, ...], list[Cell]] = {names: [] for names in (*reference_lines, *lines)}
    note_columns: dict[str, list[str]] = {}
    for column in columns:
        # References have one seed and another n: formatted together with the others, every cell would have to repeat its own.
        for block in (reference_lines, lines):
            cell_rows = {names: [r for r in line_rows if column.matches(r)] for names, line_rows in block.items()}
            summaries = {names: summarise(runs, "value") for names, runs in cell_rows.items() if runs}
            formatter = Formatter(list(summaries.values()), column.show)
            for names in block:
                body[names].append(formatter.cell(summaries.get(names)))
        for note in formatter.notes():  # of `lines`, and not of the references
            note_columns.setdefault(note, []).append(column.name)
    column_names = {column.name for column in columns}
    column_notes = [
        note if set(names) == column_names else f"{note[:-1]} ({', '.join(unique(names))})."
        for note, names in note_columns.items()
    ]
    return Table(
        title,
        stubs,
        tuple(column.heading for column in columns),
        tuple((names, tuple(cells)) for names, cells in body.items()),
        (*notes, *_direction_notes(rows, column_names), *column_notes),
        references=len(reference_lines),
    )


def _columns(rows: Sequence[Row], measures: Sequence[str]) -> list[_Column]:
    columns: list[_Column] = []
    if any(r["measure"] == _ACCURACY for r in rows):
        columns.append(_Column(_ACCURACY, f"{_ACCURACY}, %", percent, _filter(_ACCURACY, None)))
    for measure in measures:
        for evaluator in unique(
            r.get("evaluator") for r in rows if r["measure"] == measure and r["method"] != FRESH_DECODER
        ):
            # Headings of narrow columns break at blanks.
            heading = f"{measure}, %" if measure in _RATES else measure.replace("_", " ")
            heading += f" {evaluator}" if evaluator else ""
            show = percent if measure in _RATES else significant
            columns.append(_Column(measure, heading, show, _filter(measure, evaluator)))
    if any(r["measure"] == "relative_error" for r in rows):
        columns.append(_Column(_ERROR, _ERROR, significant, _filter("relative_error", None)))
    return columns


def _filter(measure: str, evaluator: str | None) -> Callable[[Row], bool]:
    return lambda r: r["measure"] == measure and r.get("evaluator") == evaluator


def _direction_notes(rows: Sequence[Row], column_names: Container[str]) -> tuple[str, ...]:
    directions = []
    for direction in ("higher", "lower"):
        measures = unique(str(r["measure"]) for r in rows if r.get("better") == direction)
        names = [name for m in measures if (name := _ERROR if m == "relative_error" else m) in column_names]
        if names:
            directions.append(f"{direction} for {', '.join(names)}")
    return (f"Reveals more when {'; '.join(directions)}.",) if directions else ()


def _title(method: str, budget: str | None) -> str:
    return f"{method}, budget: {budget}"


def _with_full_name(row: Row) -> Row:
    """Returns the row with the method that a reference belongs to in the name of its experiment."""
    return dict(row) | {
        "experiment": f"{row['experiment']} of {row['of']}" if row.get("of") else str(row["experiment"])
    }


def _knowledge(rows: Sequence[Row]) -> list[str]:
    return [k.rstrip(".") for k in unique(str(r["knowledge"]) for r in rows if r.get("knowledge"))]


def _direction(rows: Sequence[Row]) -> str:
    return " / ".join(unique(str(r["better"]) for r in rows if r.get("better"))) or MISSING
