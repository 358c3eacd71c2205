"""Summary statistics of rows that differ only in their seed, and of rows that pool several seeds."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfinv.errors import expected

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Summary:
    """Summary of several runs of one measurement.

    Attributes:
      mean: over the runs with a value; None if there is none.
      minimum: lowest value of a run.
      maximum: highest value of a run.
      low: lowest bound of the 95 % intervals of the runs. The runs share their test images, so their counts cannot be pooled into
        one interval; this range is at least as wide as each of theirs.
      high: highest bound of these intervals.
      n: number of examples of one run; None if it is unknown or the runs differ.
      runs: number of runs with a value.
      missing: number of runs without a value (null in the JSON, as for NaN).
      seeds: number of distinct seeds of the runs.
      pooled: whether mean, bounds and n come from a row over all seeds, whose bounds are one interval.
    """

    mean: float | None
    minimum: float | None
    maximum: float | None
    low: float | None
    high: float | None
    n: int | None
    runs: int
    missing: int
    seeds: int
    pooled: bool = False


def summarise(rows: Sequence[Row], key: str) -> Summary:
    """Summarises `key` over `rows`, which differ in their seed.

    Raises:
      UserError: a value is not a number.
    """
    pooled = [r for r in rows if is_pooled(r)]
    single = [r for r in rows if not is_pooled(r)]
    values = [(r, v) for r in pooled or single if (v := number(r, key)) is not None]
    run_values = [v for r in single if (v := number(r, key)) is not None] or [v for _, v in values]
    bounds = [interval(r) for r, _ in values]
    sizes = {r.get("n") for r, _ in values}
    # If one run has no interval, those of the others would pass for the interval of all: then there is none.
    intervals = [b for b in bounds if b is not None] if all(bounds) else []
    seeds = {s for r, _ in values for s in _seeds(r)}
    return Summary(
        mean=statistics.fmean(v for _, v in values) if values else None,
        minimum=min(run_values, default=None),
        maximum=max(run_values, default=None),
        low=min((low for low, _ in intervals), default=None),
        high=max((high for _, high in intervals), default=None),
        n=sizes.pop() if len(sizes) == 1 else None,
        runs=max(len(seeds), len(single)) if pooled and values else len(values),
        missing=len(pooled or single) - len(values),
        seeds=max(len(seeds), len({r.get("seed") for r in single})) if pooled and values else len(seeds),
        pooled=bool(pooled),
    )


def is_pooled(row: Row) -> bool:
    """Returns whether the row is over the samples of several seeds."""
    return row.get("seed") == "all" or isinstance(row.get("seed"), (list, tuple))


def _seeds(row: Row) -> Sequence[Any]:
    seed = row.get("seed")
    return seed if isinstance(seed, (list, tuple)) else (seed,)


def group(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Groups the rows by their values of `keys`, in the order of first appearance; a missing value is None."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_hashable(row.get(k)) for k in keys), []).append(row)
    return groups


def number(row: Row, key: str) -> float | None:
    """Returns the number under `key`, or None if it is null or missing.

    Raises:
      UserError: the value is not a number.
    """
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise expected(f"a number as {key!r} of each row", repr(value))
    return float(value)


def interval(row: Row) -> tuple[float, float] | None:
    """Returns the row's 95 % interval, or None.

    Raises:
      UserError: `ci95` is not a pair of numbers.
    """
    pair = row.get("ci95")
    if pair is None:
        return None
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise expected("a pair [low, high] as 'ci95' of each row", repr(pair))
    low, high = (number({"ci95": p}, "ci95") for p in pair)
    return None if low is None or high is None else (low, high)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)
