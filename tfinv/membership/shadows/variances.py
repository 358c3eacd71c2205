"""Variances of an example's margins over shadows: one for all, one for each, or in between."""

import math

import numpy as np
from scipy import optimize, special

from tfinv.membership.shadows.moments import Side

VARIANCES = ("pooled", "shrunk", "per_example", "fixed")
# Number of shadows from which on an example's own deviations are worth a look.
_SHRUNK_FROM = 16
# Smallest variance, as a fraction of the pooled one, and by itself: none can be divided by 0.
_SMALLEST, _TINY = 1e-6, 1e-12
# Range of half the prior's degrees of freedom in which they are searched for.
_HALF_DEGREES = (1e-3, 1e6)


def default_variance(shadows: int) -> str:
    """The kind of variance for a number of shadows: pooled, and shrunk toward it from 16 on.

    An example's own variance, as of 2 shadows that were trained on it, is mostly noise: below some 32 shadows it makes LiRA worse.
    """
    return "shrunk" if shadows >= _SHRUNK_FROM else "pooled"


def variances(side: Side, kind: str) -> np.ndarray:
    """Variances of the margins of one side.

    Args:
      side: moments of n examples and Q queries.
      kind: "pooled": that within examples, one for all of them. "per_example": each example's, pooled where it has one shadow.
        "shrunk": (d0 pooled + d own) / (d0 + d) with d degrees of freedom of the example and d0 as `prior_degrees` estimates it.
        "fixed": over all examples and shadows, differences between examples included, as the authors of LiRA fix it.

    Returns:
      (n, Q) or (1, Q) float64, positive.
    """
    degrees = np.maximum(side.counts - 1, 0)[:, np.newaxis]
    if kind == "fixed" or not degrees.any():  # of one value of each example there is no variance within
        return np.maximum(side.total_variance, _TINY)[np.newaxis]
    pooled = np.maximum(side.squares.sum(axis=0) / degrees.sum(), _TINY)[np.newaxis]
    if kind == "pooled":
        return pooled
    single = np.where(degrees > 0, side.squares / np.maximum(degrees, 1), pooled)
    single = np.maximum(single, _SMALLEST * pooled)
    if kind == "per_example":
        return single
    columns = []
    for query in range(pooled.shape[1]):
        prior = prior_degrees(single[:, query], degrees[:, 0])
        weight = np.where(degrees[:, 0] > 0, degrees[:, 0] / (prior + degrees[:, 0]), 0.0)
        columns.append(pooled[0, query] + weight * (single[:, query] - pooled[0, query]))
    return np.stack(columns, axis=1)


def prior_degrees(single: np.ndarray, degrees: np.ndarray) -> float:
    """Degrees of freedom d0 of the prior of variances that differ between examples (Smyth 2004, section 6.2).

    If the variances are drawn from a scaled inverse chi-square distribution of d0 degrees of freedom, then the variance of the
    logarithms of their estimates is trigamma(d / 2) + trigamma(d0 / 2), which is solved for d0.

    Args:
      single: (n,) estimates, positive.
      degrees: (n,) their degrees of freedom; those of 0 are left out.

    Returns:
      d0; infinity where the estimates differ by no more than chance.
    """
    single, degrees = single[degrees > 0], degrees[degrees > 0]
    if len(single) < 2:
        return math.inf
    halves, index = np.unique(degrees / 2, return_inverse=True)  # few, and polygamma is slow
    logs = np.log(single) + (np.log(halves) - special.digamma(halves))[index]
    excess = float(np.var(logs, ddof=1) - special.polygamma(1, halves)[index].mean())
    lowest, highest = _HALF_DEGREES
    if excess <= special.polygamma(1, highest):
        return math.inf
    if excess >= special.polygamma(1, lowest):
        return 2 * lowest
    return 2 * optimize.brentq(lambda half: special.polygamma(1, half) - excess, lowest, highest)
