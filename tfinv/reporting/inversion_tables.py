"""The tables of inversions: what each attacker had, defences against attacks at a glance, every measure at length."""

from collections.abc import Callable, Sequence
from typing import Any

from tfinv.evaluation.measurement import FRESH_DECODER, REFERENCE
from tfinv.reporting.cells import MISSING, Cell, Style, Table, percent, significant
from tfinv.reporting.overview import overview_tables
from tfinv.reporting.rows import unique
from tfinv.reporting.summary import Row, group, summarise

# The measures that a comparison shows: what others recognise, and how near it is to the training images.
HEADLINE = ("acc@1", "feature_distance")
_RATES = ("acc@1", "acc@5")
_ACCURACY = "test accuracy"
_ERROR = "fresh-decoder error"

# What it shows, its heading, its values as text, and which rows are in it.
_Column = tuple[str, str, Callable[[float], str], Callable[[Row], bool]]
# The rows of each line, by the names that stand in its stubs.
_Lines = dict[tuple[str, ...], list[Row]]


def knowledge_table(rows: Sequence[Row]) -> Table | None:
    """What the attacker had, a line a method; None where no row says so."""
    if not any(r.get("knowledge") for r in rows):
        return None
    lines = []
    for (method,), some in group([r for r in rows if r["method"] != REFERENCE], "method").items():
        lines.append(((str(method),), (Cell("\n".join(_knowledge(some)) or "not said"),)))
    return Table("By method", ("method",), ("beside the labels",), tuple(lines), prose=True)


def comparison_tables(
    rows: Sequence[Row], training: Sequence[Row] = (), measures: Sequence[str] = HEADLINE
) -> list[Table]:
    """Defences against attacks: an overview, then one table an attack and budget, a line a defence, references first.

    Of a single experiment there is nothing to compare but its attacks: then one table, a line an attack and budget.

    Args:
      rows: rows of kind "inversion".
      training: rows of kind "training", for the test accuracy.
      measures: the measures to show, each by each of its evaluators.

    Returns:
      The tables; none where no attack has any of `measures`.
    """
    references = [r for r in rows if r["method"] == REFERENCE]
    attacks = [r for r in rows if r["method"] not in (REFERENCE, FRESH_DECODER)]
    aside = [r for r in rows if r["method"] == FRESH_DECODER and r["measure"] == "relative_error"]
    tested = [r for r in training if r["metric"] == "test_accuracy"]
    aside += [dict(r) | {"measure": _ACCURACY, "method": "training"} for r in tested]
    if not any(r["measure"] in measures for r in attacks):
        return []
    experiments = unique(r["experiment"] for r in attacks)
    if len(experiments) == 1:
        aside = [r for r in aside if r["experiment"] == experiments[0]]
        attacked: _Lines = {(str(m), str(b or MISSING)): [*some, *aside] for (m, b), some in _by_attack(attacks)}
        fitting = [r for r in references if r.get("of") is None]
        return [_comparison("Attacks compared", ("attack", "budget"), attacked, fitting, measures, ())]
    found = overview_tables(attacks, references, aside)
    for (method, budget), some in _by_attack(attacks):
        if not any(r["measure"] in measures for r in some):
            continue
        tried = unique(r["experiment"] for r in some)
        lines: _Lines = {(str(e),): [r for r in (*some, *aside) if r["experiment"] == e] for e in tried}
        fitting = [r for r in references if r.get("of") in (None, method)]
        notes = tuple(f"The attacker had: {k}." for k in _knowledge(some))
        found.append(_comparison(_title(method, budget), ("defence",), lines, fitting, measures, notes))
    return found


def inversion_tables(rows: Sequence[Row]) -> list[Table]:
    """All measures: one table a method and budget, measures down and experiments across; references first."""
    tables = []
    blocks = sorted(group(rows, "method", "budget").items(), key=lambda b: b[0][0] != REFERENCE)
    for (method, budget), some in blocks:
        reference = method == REFERENCE
        experiments = unique(_experiment(r) for r in some)
        named = [dict(r) | {"experiment": _experiment(r)} for r in some]
        cells = {
            key: summarise(runs, "value") for key, runs in group(named, "measure", "evaluator", "experiment").items()
        }
        style = Style(list(cells.values()), significant)
        lines = []
        for (measure, evaluator), same in group(named, "measure", "evaluator").items():
            names = (str(measure), str(evaluator or MISSING), _direction(same))
            lines.append((names, tuple(style.cell(cells.get((measure, evaluator, e))) for e in experiments)))
        told = () if reference else tuple(f"The attacker had: {k}." for k in _knowledge(some))
        tables.append(
            Table(
                title="References: no attack made these images"
                if reference
                else f"Inversion by {_title(method, budget)}",
                stubs=("measure", "evaluator", "reveals more when"),
                headings=tuple(experiments),
                lines=tuple(lines),
                notes=(*told, *style.notes()),
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
    mine = [r for some in lines.values() for r in some]
    columns = _columns(mine, measures)
    blank = (MISSING,) * (len(stubs) - 1)
    marked = {(f"reference: {e}", *blank): s for (e,), s in group(map(_named, references), "experiment").items()}
    body: dict[tuple[str, ...], list[Cell]] = {names: [] for names in (*marked, *lines)}
    told: dict[str, list[str]] = {}
    for name, _, show, belongs in columns:
        parts = [{names: [r for r in some if belongs(r)] for names, some in b.items()} for b in (marked, lines)]
        for part in parts:
            # References have one seed and a size of their own: with them each cell would have to say its own.
            summaries = {names: summarise(some, "value") for names, some in part.items() if some}
            style = Style(list(summaries.values()), show)
            for names in part:
                body[names].append(style.cell(summaries.get(names)))
        for note in style.notes():  # of the lines that are no references
            told.setdefault(note, []).append(name)
    directions = {d: unique(str(r["measure"]) for r in mine if r.get("better") == d) for d in ("higher", "lower")}
    ways = [f"{d} for {', '.join(shown)}" for d, m in directions.items() if (shown := _shown(m, columns))]
    said = (f"Reveals more when {'; '.join(ways)}.",) if ways else ()
    every = {name for name, _, _, _ in columns}
    general = [
        note if set(names) == every else f"{note[:-1]} ({', '.join(unique(names))})." for note, names in told.items()
    ]
    return Table(
        title,
        stubs,
        tuple(heading for _, heading, _, _ in columns),
        tuple((names, tuple(cells)) for names, cells in body.items()),
        (*notes, *said, *general),
        references=len(marked),
    )


def _columns(rows: Sequence[Row], measures: Sequence[str]) -> list[_Column]:
    columns: list[_Column] = []
    if any(r["measure"] == _ACCURACY for r in rows):
        columns.append((_ACCURACY, f"{_ACCURACY}, %", percent, _is(_ACCURACY, None)))
    for measure in measures:
        for evaluator in unique(
            r.get("evaluator") for r in rows if r["measure"] == measure and r["method"] != FRESH_DECODER
        ):
            head = (
                f"{measure}, %" if measure in _RATES else measure.replace("_", " ")
            )  # a narrow column breaks at blanks
            show = percent if measure in _RATES else significant
            columns.append((measure, f"{head} {evaluator}" if evaluator else head, show, _is(measure, evaluator)))
    if any(r["measure"] == "relative_error" for r in rows):
        columns.append((_ERROR, _ERROR, significant, _is("relative_error", None)))
    return columns


def _is(measure: str, evaluator: str | None) -> Callable[[Row], bool]:
    return lambda r: r["measure"] == measure and r.get("evaluator") == evaluator


def _shown(measures: Sequence[str], columns: Sequence[_Column]) -> list[str]:
    names = [_ERROR if m == "relative_error" else m for m in measures]
    return [shown for shown in names if any(shown == name for name, _, _, _ in columns)]


def _by_attack(rows: Sequence[Row]) -> list[tuple[tuple[Any, ...], list[Row]]]:
    return list(group(rows, "method", "budget").items())


def _title(method: str, budget: str | None) -> str:
    return f"{method}, budget: {budget}"


def _named(row: Row) -> Row:
    return dict(row) | {"experiment": _experiment(row)}


def _experiment(row: Row) -> str:
    return f"{row['experiment']} of {row['of']}" if row.get("of") else str(row["experiment"])


def _knowledge(rows: Sequence[Row]) -> list[str]:
    return [k.rstrip(".") for k in unique(str(r["knowledge"]) for r in rows if r.get("knowledge"))]


def _direction(rows: Sequence[Row]) -> str:
    told = unique(str(r["better"]) for r in rows if r.get("better"))
    return " / ".join(told) or MISSING
