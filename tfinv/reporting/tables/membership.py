"""Tables of membership attacks: AUC, advantage, TPR at each FPR and precision at each prior, one line per attack."""

from collections.abc import Sequence

from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, is_pooled, number
from tfinv.reporting.tables.cells import MISSING, Cell, Table, significant
from tfinv.reporting.tables.membership_cells import (
    area,
    at,
    cell,
    extent,
    fprs,
    lines_of,
    name_rate,
    rate,
    run_notes,
    stubs,
    targets_of,
)

_GUESSING = "reference: guessing"


def curve_rows(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows of all records together, without those at thresholds of shadow models."""
    return [r for r in rows if r.get("group") is None and r.get("threshold") in (None, "curve")]


def measures_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates AUC, advantage, TPR at each FPR and the bound on epsilon: one line per attack, guessing first.

    Args:
      rows: of kind "membership". Where there are rows that pool several targets or seeds, these give value and interval.
    """
    rows = [r for r in curve_rows(rows) if not _is_precision(r)]
    if not rows:
        return None
    rates = fprs(rows)
    epsilon = any(r["measure"] == "epsilon" for r in rows)
    lines = []
    for names, line in lines_of(rows):
        figures = [
            cell([r for r in line if r["measure"] == m], show) for m, show in (("auc", area), ("advantage", rate))
        ]
        figures += [cell(at(line, fpr), rate) for fpr in rates]
        lines.append((names, (*figures, *([_epsilon_cell(line)] if epsilon else []))))
    guessing = [Cell(area(0.5)), *(Cell(rate(r)) for r in (0.0, *rates)), *([Cell("0")] if epsilon else [])]
    return Table(
        title="Membership: how well an attack tells members from non-members",
        stubs=stubs(rows),
        headings=(
            *("AUC", "advantage, %"),
            *(f"TPR at {name_rate(fpr)} FPR, %" for fpr in rates),
            *(["epsilon, at least"] if epsilon else []),
        ),
        lines=((_guessing_names(rows), tuple(guessing)), *lines),
        notes=(
            *_size_notes(rows),
            *(run_notes(rows) or _interval_notes(rows)),
            *_rate_notes(rows),
            *_epsilon_notes(rows),
        ),
        references=1,
    )


def precision_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the precision at each FPR and prior: one line per attack, guessing first."""
    rows = [r for r in curve_rows(rows) if _is_precision(r)]
    points = unique((r["fpr"], r["prior"]) for r in rows)
    if not points:
        return None
    lines = []
    for names, line in lines_of(rows):
        cells = [cell([r for r in line if (r["fpr"], r["prior"]) == point], rate) for point in points]
        lines.append((names, tuple(cells)))
    return Table(
        title="Precision, %: members among the records that an attack calls so",
        stubs=stubs(rows),
        headings=tuple(f"{name_rate(prior)} are members, at {name_rate(fpr)} FPR" for fpr, prior in points),
        lines=((_guessing_names(rows), tuple(Cell(rate(prior)) for _, prior in points)), *lines),
        notes=(
            "Of an attacker that meets so many members among all records; 0 where no member is named.",
            *(run_notes(rows) or ("[a, b]: of the ends of the TPR's 95 % interval.",)),
        ),
        references=1,
    )


def _is_precision(row: Row) -> bool:
    return str(row["measure"]).startswith("precision@")


def _guessing_names(rows: Sequence[Row]) -> tuple[str, ...]:
    return (_GUESSING, *(MISSING,) * (len(stubs(rows)) - 1))


def _epsilon_cell(rows: Sequence[Row]) -> Cell:
    # A mean of bounds is none, so of several runs the cell has their range.
    values = [v for r in rows if r["measure"] == "epsilon" and (v := number(r, "value")) is not None]
    return Cell(extent(values, significant)) if values else Cell()


def _size_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    sizes = [[number(r, side) for r in rows if not is_pooled(r)] for side in ("members", "nonmembers")]
    values = [[v for v in side if v is not None] for side in sizes]
    if not all(values):
        return ()
    members, nonmembers = map(extent, values)
    return (f"{members} members and {nonmembers} non-members{' of each target' * (targets_of(rows) > 1)}.",)


def _interval_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    methods: dict[str, list[str]] = {}
    for row in rows:
        if row.get("interval") and row.get("ci95") is not None:
            methods.setdefault(str(row["interval"]), []).append(_name(row))
    parts = [f"{', '.join(unique(measures))} ({method})" for method, measures in methods.items()]
    return (f"[a, b]: 95 % interval of {'; '.join(parts)}.",) if parts else ()


def _name(row: Row) -> str:
    measure = str(row["measure"])
    if row.get("fpr") is not None:
        return f"TPR at {name_rate(row['fpr'])}"
    return "AUC" if measure == "auc" else measure


def _rate_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    if not fprs(rows):
        return ()
    bounds = [v for r in rows if (v := number(r, "fpr_bound")) is not None]
    text = "TPR at an FPR: share of the members above a threshold that at most this share of the non-members exceeds."
    zero = f"At 0 % that is the highest non-member, whose true FPR is at most {100 * max(bounds, default=0):.2g} % (95 % bound)."
    return (text, zero) if bounds else (text,)


def _epsilon_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    bounds = [r for r in rows if r["measure"] == "epsilon"]
    if not bounds:
        return ()
    deltas = ", ".join(f"{d:g}" for d in unique(number(r, "delta") for r in bounds) if d is not None)
    return (
        f"epsilon: lower 95 % bound{f' at delta {deltas}' * bool(deltas)}, as if the records were independent; those of one model "
        "are not, so it is an indication.",
    )
