"""One figure out of the rows that differ only in their seed, and of those that pool several seeds."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfinv.errors import expected

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What several runs of the same measurement say together.

    Attributes:
      mean: the mean over the runs that gave a figure, or None where none did.
      least: the lowest run.
      most: the highest run.
      low: the lowest bound of the runs' own 95 % intervals. The runs share their test images, so their
        counts cannot be pooled into one interval; this one is at least as wide as any of theirs.
      high: the highest such bound.
      n: the number of examples of one run, or None where unknown or where the runs differ.
      runs: how many runs gave a figure.
      lost: how many runs gave none (null in the JSON, which is where NaN goes).
      seeds: how many different seeds the runs had.
      pooled: whether mean, bounds and n are those of a row over all seeds, whose bounds are an interval.
    """

    mean: float | None
    least: float | None
    most: float | None
    low: float | None
    high: float | None
    n: int | None
    runs: int
    lost: int
    seeds: int
    pooled: bool = False


def summarise(rows: Sequence[Row], key: str) -> Summary:
    """Summarises `key` over `rows`, which differ in their seed.

    Raises:
      UserError: a value is not a number.
    """
    pooled = [r for r in rows if is_pooled(r)]
    single = [r for r in rows if not is_pooled(r)]
    found = [(r, v) for r in pooled or single if (v := number(r, key)) is not None]
    spread = [v for r in single if (v := number(r, key)) is not None] or [v for _, v in found]
    bounds = [interval(r) for r, _ in found]
    sizes = {r.get("n") for r, _ in found}
    # One run without an interval leaves the others' looking like the interval of all: better none.
    known = [b for b in bounds if b is not None] if all(bounds) else []
    seeds = {s for r, _ in found for s in _seeds(r)}
    return Summary(
        mean=statistics.fmean(v for _, v in found) if found else None,
        least=min(spread, default=None),
        most=max(spread, default=None),
        low=min((low for low, _ in known), default=None),
        high=max((high for _, high in known), default=None),
        n=sizes.pop() if len(sizes) == 1 else None,
        runs=max(len(seeds), len(single)) if pooled and found else len(found),
        lost=len(pooled or single) - len(found),
        seeds=max(len(seeds), len({r.get("seed") for r in single})) if pooled and found else len(seeds),
        pooled=bool(pooled),
    )


def is_pooled(row: Row) -> bool:
    """Whether the row is over the samples of several seeds at once."""
    return row.get("seed") == "all" or isinstance(row.get("seed"), (list, tuple))


def _seeds(row: Row) -> Sequence[Any]:
    seed = row.get("seed")
    return seed if isinstance(seed, (list, tuple)) else (seed,)


def group(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by the values of `keys`, in the order in which each first appears; a missing value is None."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_hashable(row.get(k)) for k in keys), []).append(row)
    return groups


def number(row: Row, key: str) -> float | None:
    """The number under `key`, or None where it is null or missing.

    Raises:
      UserError: it is something else.
    """
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise expected(f"a number as {key!r} of each row", repr(value))
    return float(value)


def interval(row: Row) -> tuple[float, float] | None:
    """The row's 95 % interval, or None.

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
