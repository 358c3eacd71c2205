"""Table of a comparison of two audits: each rule before and after, and whether the difference is beyond chance."""

from collections.abc import Sequence

from tfinv.reporting.results.summary import Row, interval, number
from tfinv.reporting.tables.cells import MISSING, Cell, Table, percent, significant

_LEVEL = 0.05
_SILENT = "not compared"


def audit_difference_table(rows: Sequence[Row]) -> Table | None:
    """Tabulates the differences, one rule a line.

    Args:
      rows: of kind "audit difference".
    """
    if not rows:
        return None
    lines = []
    for row in rows:
        show = percent if row.get("format") == "percent" else significant
        value, bounds, p = number(row, "difference"), interval(row), number(row, "p")
        before, after = (MISSING if number(row, key) is None else show(number(row, key) or 0.0) for key in ("a", "b"))
        notes = (f"[{show(bounds[0])}, {show(bounds[1])}]",) if bounds else ()
        difference = Cell() if value is None else Cell(f"{'+' if value > 0 else ''}{show(value)}", notes)
        n = number(row, "n")
        test = Cell() if p is None else Cell("p < 0.001" if p < 0.001 else f"p = {p:.2g}", (str(row.get("test")),))
        count = Cell(MISSING if n is None else f"{n:,.0f}")
        cells = (
            Cell(outcome(row)),
            difference,
            Cell(before),
            Cell(after),
            count,
            test,
            Cell(str(row.get("reason") or row["text"])),
        )
        lines.append(((str(row["question"]), str(row["rule"])), cells))
    comparisons = number(rows[0], "comparisons") or 0
    return Table(
        title="Differences of two audits",
        stubs=("question", "rule"),
        headings=("b is", "b less a", "a", "b", "n", "test", "measured"),
        lines=tuple(lines),
        notes=(
            f"[a, b]: 95 % interval. Rates are percentages. {comparisons:.0f} tests were made, each at 5 %. Without a test, "
            "the intervals of both count as if they were of other images.",
        ),
    )


def outcome(row: Row) -> str:
    """Returns whether b is better, worse, or not told apart, or that one of the two has no grade."""
    value, bounds, p = number(row, "difference"), interval(row), number(row, "p")
    if value is None:
        return _SILENT
    beyond = p <= _LEVEL if p is not None else bounds is not None and (bounds[0] > 0 or bounds[1] < 0)
    if not beyond or value == 0:
        return "not told apart"
    return "better" if (value > 0) == (row.get("better") == "higher") else "worse"


def sentences(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Returns what is worse, better, not told apart and not said, as sentences with their tones.

    Args:
      rows: of kind "audit difference".
    """
    groups: dict[str, list[str]] = {"worse": [], "better": [], "not told apart": []}
    silent: list[str] = []
    for row in rows:
        groups.get(outcome(row), silent).append(str(row["rule"]))
    lines = [
        (f"b is {word} than a by {', '.join(groups[word])}.", tone)
        for word, tone in (("worse", "bad"), ("better", "good"))
        if groups[word]
    ]
    if groups["not told apart"]:
        lines.append((f"Not told apart: {', '.join(groups['not told apart'])}.", "plain"))
    return (
        [*lines, (f"Not compared, for want of a grade in a or b: {', '.join(silent)}.", "doubt")] if silent else lines
    )
