"""Means over seeds, classes and samples, with intervals that know that these are not independent; and paired differences.

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
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.errors import expected
from tfinv.evaluation.measurement import Measurement, Values, direction
from tfinv.labels import order_in_class


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean and how far to trust it.

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
        """(low, high): of a rate Wilson's, with the number of independent values that would have this error; else Student's."""
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
        """Of the hypothesis that the mean is 0, two-sided; where all values agree, by a sign test of the cells."""
        if self.error is None or self.value == 0:
            return 1.0
        if self.error <= 1e-12 * abs(self.value):
            return 0.5 ** (self.cells - 1)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.degrees))


def estimate(groups: Sequence[Values]) -> Estimate:
    """The mean of one measure over seeds, classes and samples.

    Args:
      groups: one a seed.

    Raises:
      UserError: there is none, or the seeds do not have the same classes.
    """
    return _estimate([(g.values, g.labels) for g in groups], all(g.is_rate for g in groups))


def pool(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Measurements that differ in nothing but the seed, as one: rows of kind "inversion" whose `seed` is a list.

    Args:
      measurements: of any experiments, methods and budgets.

    Returns:
      A row for each measure that all seeds of a group have. There is none for a group of one seed.

    Raises:
      UserError: a seed comes twice, or the seeds do not have the same classes.
    """
    rows = []
    for members in _grouped(measurements).values():
        if len(members) < 2:
            continue
        for (measure, evaluator), groups in _shared(members).items():
            found = estimate(groups)
            interval = found.interval()
            rows.append(
                {
                    "kind": "inversion",
                    "measure": measure,
                    "value": found.value,
                    "ci95": None if interval is None else list(interval),
                    **direction(measure),
                    **({"evaluator": evaluator} if evaluator else {}),
                    **members[0].keys,
                    **_size(groups[0]),
                    "n": found.n,
                    "seed": [m.keys["seed"] for m in members],
                }
            )
    return rows


@dataclasses.dataclass(frozen=True)
class Difference:
    """By how much one model's reconstructions exceed another's in one measure, pair by pair.

    Attributes:
      measure: its name.
      evaluator: which judged, or None.
      method: the inversion.
      budget: of it.
      ours: the experiment that is held against the other.
      theirs: the other.
      estimate: of the mean difference, ours less theirs.
    """

    measure: str
    evaluator: str | None
    method: str
    budget: str
    ours: str
    theirs: str
    estimate: Estimate

    def row(self) -> dict[str, Any]:
        """A row of kind "inversion difference"; `experiment` is ours, `than` theirs."""
        interval = self.estimate.interval()
        return {
            "kind": "inversion difference",
            "experiment": self.ours,
            "than": self.theirs,
            "method": self.method,
            "budget": self.budget,
            "measure": self.measure,
            "value": self.estimate.value,
            "n": self.estimate.n,
            "ci95": None if interval is None else list(interval),
            **direction(self.measure),
            **({"evaluator": self.evaluator} if self.evaluator else {}),
        }


def differences(measurements: Iterable[Measurement], ours: str, theirs: str) -> list[Difference]:
    """Compares two experiments, reconstruction by reconstruction: same method, budget, seed, class and place in the class.

    What a class has of its own, such as being easily recognised, falls out of each pair. Seeds count as pairs too, which is no
    harm where they are not: the seeds' differences then vary as much as two models' would.

    Args:
      measurements: of both experiments, and any others.
      ours: an experiment.
      theirs: another.

    Returns:
      One for each method, budget, measure with a direction and evaluator in which pairs are found. Measures of whole sets (FID) are
      compared only between sets of one size.

    Raises:
      UserError: see `pool`.
    """
    grouped = _grouped(m for m in measurements if m.keys["experiment"] in (ours, theirs))
    found = []
    for key, members in grouped.items():
        keys = dict(key)
        if keys["experiment"] != ours:
            continue
        others = {m.keys["seed"]: m for m in grouped.get(_group(members[0], experiment=theirs), ())}
        pairs = [(m, others[m.keys["seed"]]) for m in members if m.keys["seed"] in others]
        if not pairs:
            continue
        mine, other = (_shared(side) for side in zip(*pairs, strict=True))
        for measure, evaluator in [k for k in mine if k in other and direction(k[0])]:
            shared = measure, evaluator
            paired = [_pairs(a, b) for a, b in zip(mine[shared], other[shared], strict=True)]
            if all(len(values) for values, _ in paired):
                found.append(
                    Difference(
                        measure, evaluator, keys["method"], keys["budget"], ours, theirs, _estimate(paired, rate=False)
                    )
                )
    return found


def _estimate(groups, rate):
    """The estimate of (values, labels) pairs, one a seed."""
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
    """Of the mean of a (seeds, classes) table with more than one cell, and its degrees of freedom."""
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
    spread = np.sum(np.square([of_seeds, of_classes, noise]) / degrees)
    return float(total), max(1.0, float(total**2 / spread))


def _group(measurement, **changed):
    """All keys but the seed, as something to look up by."""
    return tuple(sorted((k, v) for k, v in (dict(measurement.keys) | changed).items() if k != "seed"))


def _grouped(measurements):
    groups: dict[tuple, list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(_group(measurement), []).append(measurement)
    for key, members in groups.items():
        seeds = [m.keys["seed"] for m in members]
        if len(set(seeds)) < len(seeds):
            raise expected("each seed once", f"seeds {seeds} of {dict(key)}", "Pool different runs.")
    return groups


def _shared(members):
    """By measure and evaluator, the values of each member, where all have them and sizes of sets agree."""
    by_key = [{v.key: v for v in m.values} for m in members]
    shared = {}
    for key in by_key[0]:
        groups = [values.get(key) for values in by_key]
        if all(g is not None and _size(g) == _size(groups[0]) for g in groups):
            shared[key] = groups
    return shared


def _size(values):
    return {k: v for k, v in values.extra.items() if k in ("n", "n_real")}


def _pairs(ours, theirs):
    """Differences of the values that agree in class and place, and their classes."""
    if _size(ours) != _size(theirs):
        return np.zeros(0), np.zeros(0, np.int64)
    at = {key: i for i, key in enumerate(zip(theirs.labels, order_in_class(theirs.labels), strict=True))}
    keys = list(zip(ours.labels, order_in_class(ours.labels), strict=True))
    chosen = [(i, at[key]) for i, key in enumerate(keys) if key in at]
    if not chosen:
        return np.zeros(0), np.zeros(0, np.int64)
    mine, other = np.array(chosen).T
    return ours.values[mine].astype(np.float64) - theirs.values[other].astype(np.float64), ours.labels[mine]
