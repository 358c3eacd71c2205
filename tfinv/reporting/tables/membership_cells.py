"""Lines, cells and notes that the tables of membership attacks share."""

from collections.abc import Callable, Sequence

from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, group, is_pooled, summarise
from tfinv.reporting.tables.cells import MISSING, Cell, percent

Show = Callable[[float], str]
Lines = list[tuple[tuple[str, ...], list[Row]]]

_RANGE = f"a{MISSING}b: the lowest and the highest of them, where they differ."


def rate(value: float) -> str:
    """Formats a rate as a percentage with one decimal, below 1 % with two, without the sign."""
    return f"{100 * value:.2f}" if value < 0.01 else percent(value)


def area(value: float) -> str:
    """Formats an AUC."""
    return f"{value:.3f}"


def name_rate(value: float) -> str:
    """Formats the FPR of a threshold, or the prior of a precision: "0.1 %"."""
    return f"{100 * value:g} %"


def whole(value: float) -> str:
    """Formats a number of records."""
    return f"{value:,.0f}"


def stubs(rows: Sequence[Row]) -> tuple[str, ...]:
    """Returns the headings of the columns that name a line: the experiment only where there are several."""
    return ("experiment", "attack") if len({r["experiment"] for r in rows}) > 1 else ("attack",)


def lines_of(rows: Sequence[Row]) -> Lines:
    """Returns the rows of each attack on each experiment, by the names in the columns of `stubs`."""
    first = 2 - len(stubs(rows))
    groups = group(rows, "experiment", "attack")
    order = [key for e in unique(r["experiment"] for r in rows) for key in groups if key[0] == e]
    return [((str(e), str(a))[first:], groups[e, a]) for e, a in order]


def fprs(rows: Sequence[Row]) -> list[float]:
    """Returns the FPRs of the rows, falling."""
    return sorted({r["fpr"] for r in rows if r.get("fpr") is not None}, reverse=True)


def at(rows: Sequence[Row], fpr: float, threshold: str = "curve") -> list[Row]:
    """Returns the TPRs at an FPR, at thresholds of one source."""
    tprs = [r for r in rows if str(r["measure"]).startswith("tpr@") and r.get("fpr") == fpr]
    return [r for r in tprs if r.get("threshold") == threshold]


def cell(rows: Sequence[Row], show: Show) -> Cell:
    """Returns the mean of the rows' values, their range where they differ, and the interval.

    Rows that pool several targets or seeds give mean and interval; from the others comes the range only.
    """
    if not rows:
        return Cell()
    summary = summarise(rows, "value")
    if summary.mean is None or summary.minimum is None or summary.maximum is None:
        return Cell(notes=("no figure",))
    notes = []
    if show(summary.minimum) != show(summary.maximum):
        notes.append(f"{show(summary.minimum)}{MISSING}{show(summary.maximum)}")
    if summary.low is not None and summary.high is not None:
        notes.append(f"[{show(summary.low)}, {show(summary.high)}]")
    return Cell(show(summary.mean), tuple(notes))


def extent(values: Sequence[float], show: Show = whole) -> str:
    """Formats the lowest and the highest value, or the only one."""
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low}{MISSING}{high}"


def targets_of(rows: Sequence[Row]) -> int:
    """Returns the largest number of targets of an experiment."""
    numbers = [int(r["targets"]) for r in rows if r.get("targets")]
    single = [r for r in rows if not is_pooled(r)]
    return max([1, *numbers, *(len({r.get("target") for r in runs}) for runs in group(single, "experiment").values())])


def run_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Says what the figures are means over, if they are."""
    if pooled := [r for r in rows if is_pooled(r)]:
        seeds = len({s for r in pooled if r["seed"] != "all" for s in r["seed"]})
        over = [_count(targets_of(pooled), "target"), *([_count(seeds, "seed")] if seeds else [])]
        return (f"Means over {' and '.join(over)}; [a, b]: 95 % interval over them (Student). {_RANGE}",)
    runs = [{(r.get("target"), r.get("seed")) for r in line} for _, line in lines_of(rows)]
    if max(map(len, runs), default=0) > 1:
        return (f"Means over runs; [a, b]: from the lowest bound of a 95 % interval to the highest. {_RANGE}",)
    return ()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
