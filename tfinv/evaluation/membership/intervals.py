"""95 % intervals of AUC, advantage and TPR at an FPR, that cover: members and non-members are both samples.

The interval of a rate at the threshold that the sample's own non-members set (Wilson's) leaves out that the threshold is a random
one. With 1,000 non-members it covers the true TPR about every other time at an FPR of 1 %, and every third time at .1 %. Two that
do better: the bootstrap of both sides, where enough non-members are above the threshold, and below that the order statistics
between which the true threshold lies, joined with the rates at both. tests/evaluation/membership/test_intervals.py simulates each.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from tfinv.evaluation.membership.roc import (
    advantage,
    check_scores,
    false_positives,
    placements,
    roc_curve,
    tpr_at_fpr,
)

_LEVEL = 0.95
# Number of false positives from which on the bootstrap is used.
BOOTSTRAP_FROM = 10
DELONG, SCORE, BAND = "DeLong", "Newcombe", "Kolmogorov-Smirnov"
BOOTSTRAP, ORDER, RATE = "bootstrap", "order statistics", "Clopper-Pearson"


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A measure with its interval.

    Attributes:
      value: of the sample.
      low: of the 95 % interval.
      high: likewise.
      method: name of the interval.
    """

    value: float
    low: float
    high: float
    method: str


def auc_interval(members: np.ndarray, nonmembers: np.ndarray, level: float = _LEVEL) -> Estimate:
    """AUC with DeLong's interval on the logit scale (DeLong et al. 1988, by mid-ranks: Sun and Xu 2014).

    Where the sample has no variance, as in scores that separate perfectly or are all one, DeLong's interval is a point; there it is
    Newcombe's (2006, method 5), which takes the variance from the AUC itself.

    Raises:
      UserError: see `check_scores`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    value, variance = delong(members, nonmembers)
    if not variance > 1e-12 or not 0 < value < 1:
        low, high = _newcombe(value, len(members), len(nonmembers), level)
        return Estimate(value, low, high, SCORE)
    half = float(stats.norm.ppf(0.5 + level / 2)) * math.sqrt(variance) / (value * (1 - value))
    middle = float(special.logit(value))
    return Estimate(value, float(special.expit(middle - half)), float(special.expit(middle + half)), DELONG)


def delong(members: np.ndarray, nonmembers: np.ndarray) -> tuple[float, float]:
    """AUC and its variance by DeLong; the variance is NaN with fewer than two members or non-members.

    Args:
      members: (m,) scores without NaN.
      nonmembers: (n,) likewise.
    """
    of_members, of_nonmembers = placements(members, nonmembers), 1 - placements(nonmembers, members)
    if min(len(members), len(nonmembers)) < 2:
        return float(of_members.mean()), math.nan
    variance = of_members.var(ddof=1) / len(members) + of_nonmembers.var(ddof=1) / len(nonmembers)
    return float(of_members.mean()), float(variance)


def advantage_interval(members: np.ndarray, nonmembers: np.ndarray) -> Estimate:
    """Advantage with an interval for a maximum over thresholds, which a bootstrap would centre too high.

    Below: the sample's curve nowhere exceeds the true one by more than the one-sided Kolmogorov-Smirnov quantile. Above: the true
    best threshold is some threshold, so the highest normal bound of any covers it.

    Raises:
      UserError: see `check_scores`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    value = advantage(members, nonmembers)
    m, n = len(members), len(nonmembers)
    tail = (1 - _LEVEL) / 2
    low = value - math.sqrt(-math.log(tail) / 2 * (1 / m + 1 / n))
    curve = roc_curve(members, nonmembers)
    # Agresti and Caffo's two successes and two failures, so that a rate of 0 or 1 has a variance.
    tpr, fpr = (curve.tpr * m + 1) / (m + 2), (curve.fpr * n + 1) / (n + 2)
    error = np.sqrt(tpr * (1 - tpr) / (m + 2) + fpr * (1 - fpr) / (n + 2))
    high = float(np.max(curve.tpr - curve.fpr + stats.norm.isf(tail) * error))
    return Estimate(value, max(0.0, low), min(1.0, high), BAND)


def tpr_interval(members: np.ndarray, nonmembers: np.ndarray, fpr: float) -> Estimate:
    """TPR at an FPR with the interval that covers there.

    At 1 % of 1,000 non-members or more it is the bootstrap's, with fewer false positives that of the order statistics. No resample
    of a TPR of 0 or 1 has another: there it is joined with the interval of the rate at this threshold. At an FPR of 0 no sample
    says what the true threshold is: the interval is that of the TPR of this very threshold, the highest non-member, whose own FPR
    is below `zero_fpr_bound`.

    Raises:
      UserError: see `tpr_at_fpr`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    value = tpr_at_fpr(members, nonmembers, fpr)
    hits, tail = round(value * len(members)), (1 - _LEVEL) / 2
    low, high = rate_low(hits, len(members), tail), rate_high(hits, len(members), tail)
    if fpr == 0:
        return Estimate(value, low, high, RATE)
    if false_positives(fpr, len(nonmembers)) < BOOTSTRAP_FROM:
        return Estimate(value, *order_statistics(members, nonmembers, fpr), ORDER)
    resampled = bootstrap(members, nonmembers, fpr)
    if 0 < hits < len(members):
        return Estimate(value, *resampled, BOOTSTRAP)
    return Estimate(value, min(low, resampled[0]), max(high, resampled[1]), BOOTSTRAP)


def zero_fpr_bound(nonmembers: int) -> float:
    """Upper 95 % bound of the FPR of a threshold that none of n non-members exceeds: 1 - .05^(1/n), about 3/n."""
    return 1 - (1 - _LEVEL) ** (1 / nonmembers)


def bootstrap(members: np.ndarray, nonmembers: np.ndarray, fpr: float) -> tuple[float, float]:
    """Percentile interval of the TPR when members and non-members are both resampled, exactly: nothing is drawn.

    The threshold of a resample is the (k+1)-th highest non-member, k the false positives; it is the i-th highest of the sample with
    the probability that a Beta(k + 1, n - k) falls in [i/n, (i+1)/n). Given it, the resampled hits are binomial.

    Args:
      members: (m,) scores without NaN.
      nonmembers: (n,) likewise.
      fpr: in (0, 1].
    """
    m, n = len(members), len(nonmembers)
    allowed = false_positives(fpr, n)
    if allowed >= n:
        return 1.0, 1.0
    weights = np.diff(stats.beta.cdf(np.arange(n + 1) / n, allowed + 1, n - allowed))
    places = np.flatnonzero(weights > 1e-9 / n)
    hits = _exceeding(members, np.sort(nonmembers)[::-1][places])
    # Few distinct counts of hits, so few binomials.
    counts, inverse = np.unique(hits, return_inverse=True)
    shares = np.bincount(inverse, weights[places])

    def quantile(tail: float) -> float:
        low, high = 0, m
        while low < high:
            middle = (low + high) // 2
            if float(shares @ special.bdtr(middle, m, counts / m)) >= tail:
                high = middle
            else:
                low = middle + 1
        return low / m

    tail = (1 - _LEVEL) / 2
    return quantile(tail), quantile(1 - tail)


def order_statistics(members: np.ndarray, nonmembers: np.ndarray, fpr: float) -> tuple[float, float]:
    """Interval of the TPR at the true threshold, which lies between two non-members; it covers whatever the distributions.

    The number of non-members above the true threshold is binomial(n, fpr), which says between which two order statistics it lies
    (David and Nagaraja 2003, section 7.1). Clopper and Pearson's bound of the rate is taken at the far one of each side. Each of
    the four bounds errs in 1.25 %, so both together in 5 % at most.

    Args:
      members: (m,) scores without NaN.
      nonmembers: (n,) likewise.
      fpr: in (0, 1).

    Returns:
      (low, high). The lower one is 0 where there are fewer non-members than `fewest_nonmembers`: then nothing bounds the threshold.
    """
    m, n = len(members), len(nonmembers)
    tail = (1 - _LEVEL) / 4
    order = np.sort(nonmembers)[::-1]
    # So many non-members at least are at or above the true threshold, and so many at most above it.
    least, most = int(stats.binom.ppf(tail, n, fpr)), int(stats.binom.isf(tail, n, fpr))
    low, high = 0.0, 1.0
    if least > 0:
        low = rate_low(int(_exceeding(members, order[least - 1])), m, tail)
    if most < n:
        high = rate_high(int(_exceeding(members, order[most])), m, tail)
    return low, high


def fewest_nonmembers(fpr: float) -> int | None:
    """Number of non-members from which on `order_statistics` bounds a TPR from below; None at an FPR of 0, where none suffices."""
    return math.ceil(math.log((1 - _LEVEL) / 4) / math.log1p(-fpr)) if 0 < fpr < 1 else None


def rate_low(hits: int, n: int, tail: float) -> float:
    """Lower bound of a rate, which errs with probability `tail` at most (Clopper and Pearson 1934)."""
    return float(rate_bounds(hits, n, tail)[0])


def rate_high(hits: int, n: int, tail: float) -> float:
    """Upper bound of a rate, see `rate_low`."""
    return float(rate_bounds(hits, n, tail)[1])


def rate_bounds(hits: ArrayLike, n: ArrayLike, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of many rates by one call of SciPy, see `rate_low`; of n = 0 they are 0 and 1."""
    hits, n = np.asarray(hits), np.asarray(n)
    # A beta with a parameter of 0 is NaN: no hit bounds nothing from below, and all hits nothing from above.
    low, high = stats.beta.ppf(tail, hits, n - hits + 1), stats.beta.isf(tail, hits + 1, n - hits)
    return np.where(hits > 0, low, 0.0), np.where(hits < n, high, 1.0)


def _exceeding(members, thresholds):
    """Number of members above each threshold."""
    return len(members) - np.searchsorted(np.sort(members), thresholds, "right")


def _newcombe(value, m, n, level):
    """Newcombe's interval: the AUCs t with |value - t| <= z sqrt(V(t)), V by Hanley and McNeil with the mean sample size."""
    z, mean = float(stats.norm.ppf(0.5 + level / 2)), (m + n) / 2 - 1
    grid = np.linspace(0, 1, 20_001)
    variance = grid * (1 - grid) * (1 + mean * ((1 - grid) / (2 - grid) + grid / (1 + grid))) / (m * n)
    inside = grid[np.abs(value - grid) <= z * np.sqrt(variance) + 1e-12]
    return float(inside.min()), float(inside.max())
