"""Means over crossed seeds and classes, with intervals and p-values that allow for values that are not independent.

Reconstructions of one class resemble each other, and so do those of one trained model, so n of them say less than n independent
ones. With y[s, c] the mean of the samples of class c under seed s, seeds and classes are crossed random effects, and

    Var(mean) = max(V_seed, V_class, V_seed + V_class - E)

where V_seed and V_class are the variances of the seeds' and the classes' means over their number, and E the residual mean square
over the number of cells, which holds what samples differ by (two-way analysis of variance; Searle, Casella & McCulloch 1992,
chapter 4). The quantile is Student's, with the degrees of freedom that Satterthwaite (1946) gives a sum of the three. With three
seeds a variance is poorly known, which the tail of a p-value feels most: taking the largest of the three makes both careful. It is
the variance to which a cluster bootstrap over seeds and classes tends, which with three seeds has ten resamples and percentiles
that can't reach beyond the lowest and the highest seed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tfinv.errors import expected
from tfinv.evaluation.statistics.measurement import Values


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean with its standard error.

    Attributes:
      value: the mean over the cells, which weighs every seed and class alike.
      n: how many values it is of.
      cells: seeds x classes, or n where there is but one cell.
      error: its standard error; None of a single value.
      degrees: degrees of freedom of that error.
      rate: whether the values are 0 or 1.
    """

    value: float
    n: int
    cells: int
    error: float | None
    degrees: float
    rate: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """(low, high): Wilson's interval of a rate, with as many independent values as would have this error; else Student's."""
        if self.error is None:
            return None
        quantile = float(stats.t.ppf(0.5 + level / 2, self.degrees))
        if not self.rate:
            return self.value - quantile * self.error, self.value + quantile * self.error
        p = self.value
        # Where all agree, the error says 0 and knows nothing; each cell then counts as one value.
        effective = min(p * (1 - p) / self.error**2, self.n) if self.error > 0 else self.cells
        share = quantile**2 / effective
        middle = (p + share / 2) / (1 + share)
        half = quantile * np.sqrt(p * (1 - p) / effective + share / (4 * effective)) / (1 + share)
        return max(0.0, float(middle - half)), min(1.0, float(middle + half))

    def p_value(self) -> float:
        """p-value of the hypothesis that the mean is 0, two-sided; where all values agree, by a sign test of the cells."""
        if self.error is None or self.value == 0:
            return 1.0
        if self.error <= 1e-12 * abs(self.value):
            return 0.5 ** (self.cells - 1)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.degrees))


def estimate(groups: Sequence[Values]) -> Estimate:
    """Estimates the mean of one measure over seeds, classes and samples.

    Args:
      groups: one a seed.

    Raises:
      UserError: there is none, or the seeds do not have the same classes.
    """
    return estimate_mean([(g.values, g.labels) for g in groups], all(g.is_rate for g in groups))


def estimate_mean(groups: Sequence[tuple[np.ndarray, np.ndarray]], rate: bool = False) -> Estimate:
    """Estimates a mean over seeds, classes and samples.

    Args:
      groups: (n,) values and their (n,) classes, one pair a seed.
      rate: whether the values are 0 or 1.

    Raises:
      UserError: see `estimate`.
    """
    if not groups:
        raise expected("at least one seed", "none", "Pass measurements.")
    classes = np.unique(groups[0][1])
    for _, labels in groups[1:]:
        if not np.array_equal(np.unique(labels), classes):
            raise expected(
                "the same classes in every seed",
                f"{classes.tolist()} and {np.unique(labels).tolist()}",
                "Pool alike runs.",
            )
    table = np.array([[np.mean(values[labels == c]) for c in classes] for values, labels in groups], np.float64)
    n = sum(len(values) for values, _ in groups)
    if table.size > 1:
        variance, degrees = _variance(table)
        return Estimate(float(table.mean()), n, table.size, float(np.sqrt(variance)), degrees, rate)
    values = np.asarray(groups[0][0], np.float64)
    error = float(stats.sem(values)) if n > 1 else None
    return Estimate(float(table.mean()), n, n, error, max(1, n - 1), rate)


def _variance(table):
    """Variance of the mean of a (seeds, classes) table with more than one cell, and its degrees of freedom."""
    seeds, classes = table.shape
    if min(seeds, classes) == 1:
        return float(np.var(table, ddof=1) / table.size), table.size - 1
    by_seed, by_class = table.mean(1), table.mean(0)
    residual = table - by_seed[:, None] - by_class + table.mean()
    degrees = np.array([seeds - 1, classes - 1, (seeds - 1) * (classes - 1)])
    noise = np.sum(residual**2) / degrees[2] / table.size
    of_seeds, of_classes = by_seed.var(ddof=1) / seeds, by_class.var(ddof=1) / classes
    total = max(of_seeds, of_classes, of_seeds + of_classes - noise)
    if total <= 0:
        return 0.0, float(degrees.min())
    satterthwaite = np.sum(np.square([of_seeds, of_classes, noise]) / degrees)
    return float(total), max(1.0, float(total**2 / satterthwaite))
