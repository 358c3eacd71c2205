"""Differences between two models on the same examples: paired counts and medians, and unpaired figures with intervals."""

import dataclasses
import math

import numpy as np
from scipy import stats

_RESAMPLES = 2000
_FEWEST = 6  # pairs of an interval
_Z = float(stats.norm.ppf(0.975))


@dataclasses.dataclass(frozen=True)
class Difference:
    """The second less the first.

    Attributes:
      value: of it.
      ci95: its interval, or None.
      p: two-sided, or None without a test.
      n: number of pairs, or None.
      test: name of the test.
    """

    value: float
    ci95: tuple[float, float] | None
    p: float | None
    n: int | None
    test: str


def mcnemar(a: np.ndarray, b: np.ndarray) -> Difference:
    """Returns the difference of two rates with McNemar's exact test, and the interval of Bonett and Price (2012).

    Args:
      a: (n,) bool, whether the first model is right, at least one.
      b: (n,) bool, likewise the second, on the same examples.
    """
    n, gained, lost = len(a), int(np.sum(~a & b)), int(np.sum(a & ~b))
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    # One more of each kind keeps the interval of no difference from being empty.
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = _Z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    middle = up - down
    return Difference((gained - lost) / n, (max(-1.0, middle - half), min(1.0, middle + half)), p, n, "McNemar, exact")


def bootstrap_medians(a: np.ndarray, b: np.ndarray, *, seed: int = 0, resamples: int = _RESAMPLES) -> Difference | None:
    """Returns the difference of two medians, with the percentiles of a bootstrap of pairs; None where a median is infinite.

    Fewer than six pairs have no interval: all of one sign come by chance in more than one case of twenty.

    Args:
      a: (n,) of the first model; infinity for what lies beyond all measurements.
      b: (n,) of the second, on the same examples.
      seed: of the resamples.
      resamples: their number.
    """
    value = float(np.median(b)) - float(np.median(a))
    if not math.isfinite(value):
        return None
    rows = np.random.default_rng(seed).integers(0, len(a), (resamples, len(a)))
    with np.errstate(invalid="ignore"):
        gaps = np.median(b[rows], axis=1) - np.median(a[rows], axis=1)
    gaps = gaps[~np.isnan(gaps)]
    low, high = (float(np.quantile(gaps, q, method="nearest")) for q in (0.025, 0.975))
    ci95 = (low, high) if len(a) >= _FEWEST and math.isfinite(low) and math.isfinite(high) else None
    # Each side has at least one of the resamples and the sample itself.
    sides = [(1 + int(np.sum(side))) / (len(gaps) + 1) for side in (gaps <= 0, gaps >= 0)]
    # No test of n pairs can say more than that all n have one sign, which resamples of the same few don't know.
    p = min(1.0, max(2 * min(sides), 2.0 ** (1 - len(a))))
    return Difference(value, ci95, p, len(a), "paired bootstrap")


def unpaired(a: tuple[float, tuple[float, float] | None], b: tuple[float, tuple[float, float] | None]) -> Difference:
    """Returns the difference of two figures as if they were independent, with Newcombe's interval (1998, method 10), and no test.

    Args:
      a: the first figure and its interval.
      b: the second.
    """
    value, ci95 = b[0] - a[0], None
    if a[1] is not None and b[1] is not None:
        low = value - math.hypot(b[0] - b[1][0], a[1][1] - a[0])
        high = value + math.hypot(b[1][1] - b[0], a[0] - a[1][0])
        ci95 = low, high
    return Difference(value, ci95, None, None, "intervals")
