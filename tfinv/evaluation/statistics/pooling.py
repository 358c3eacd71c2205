"""Measurements pooled over seeds, and paired differences of two experiments; `estimation` gives their intervals."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.statistics.estimation import Estimate, estimate, estimate_mean
from tfinv.evaluation.statistics.measurement import Measurement, direction
from tfinv.labels import order_in_class


def pool(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Pools measurements that differ in nothing but the seed: rows of kind "inversion" whose `seed` is a list.

    Args:
      measurements: of any experiments, methods and budgets.

    Returns:
      A row for each measure that all seeds of a group have. There is none for a group of one seed.

    Raises:
      UserError: a seed comes twice, or the seeds do not have the same classes.
    """
    rows = []
    for members in _by_keys(measurements).values():
        if len(members) < 2:
            continue
        for (measure, evaluator), groups in _shared_values(members).items():
            mean = estimate(groups)
            interval = mean.interval()
            rows.append(
                {
                    "kind": "inversion",
                    "measure": measure,
                    "value": mean.value,
                    "ci95": None if interval is None else list(interval),
                    **direction(measure),
                    **({"evaluator": evaluator} if evaluator else {}),
                    **members[0].keys,
                    **_set_sizes(groups[0]),
                    "n": mean.n,
                    "seed": [m.keys["seed"] for m in members],
                }
            )
    return rows


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean paired difference of one measure between the reconstructions of two experiments.

    Attributes:
      measure: its name.
      evaluator: the classifier that measured, or None.
      method: the inversion.
      budget: of the inversion.
      experiment: the experiment that is compared.
      baseline: the experiment that it is compared with.
      estimate: of the mean of experiment minus baseline.
    """

    measure: str
    evaluator: str | None
    method: str
    budget: str
    experiment: str
    baseline: str
    estimate: Estimate

    def row(self) -> dict[str, Any]:
        """Makes a row of kind "inversion difference"; its key `than` is the baseline."""
        interval = self.estimate.interval()
        return {
            "kind": "inversion difference",
            "experiment": self.experiment,
            "than": self.baseline,
            "method": self.method,
            "budget": self.budget,
            "measure": self.measure,
            "value": self.estimate.value,
            "n": self.estimate.n,
            "ci95": None if interval is None else list(interval),
            **direction(self.measure),
            **({"evaluator": self.evaluator} if self.evaluator else {}),
        }


def differences(measurements: Iterable[Measurement], experiment: str, baseline: str) -> list[Difference]:
    """Compares two experiments, reconstruction by reconstruction: same method, budget, seed, class and place in the class.

    A class's own effect, such as being easily recognised, cancels in each pair. Seeds count as pairs too, which is no harm where
    they are not: the seeds' differences then vary as much as two models' would.

    Args:
      measurements: of both experiments, and any others.
      experiment: the name of one.
      baseline: the name of the other, which is subtracted.

    Returns:
      One for each method, budget, measure with a direction and evaluator that has pairs. Measures of whole sets (FID) are compared
      only between sets of one size.

    Raises:
      UserError: see `pool`.
    """
    groups = _by_keys(m for m in measurements if m.keys["experiment"] in (experiment, baseline))
    results = []
    for key, members in groups.items():
        keys = dict(key)
        if keys["experiment"] != experiment:
            continue
        baselines = {m.keys["seed"]: m for m in groups.get(_keys_but_seed(members[0], experiment=baseline), ())}
        pairs = [(m, baselines[m.keys["seed"]]) for m in members if m.keys["seed"] in baselines]
        if not pairs:
            continue
        minuends, subtrahends = (_shared_values(side) for side in zip(*pairs, strict=True))
        for measure, evaluator in [k for k in minuends if k in subtrahends and direction(k[0])]:
            shared = measure, evaluator
            paired = [_paired_differences(a, b) for a, b in zip(minuends[shared], subtrahends[shared], strict=True)]
            if all(len(values) for values, _ in paired):
                mean = estimate_mean(paired)
                results.append(
                    Difference(measure, evaluator, keys["method"], keys["budget"], experiment, baseline, mean)
                )
    return results


def _keys_but_seed(measurement, **changes):
    """All keys but the seed, as something to look up by."""
    return tuple(sorted((k, v) for k, v in (dict(measurement.keys) | changes).items() if k != "seed"))


def _by_keys(measurements):
    """Measurements grouped by all keys but the seed."""
    groups: dict[tuple, list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(_keys_but_seed(measurement), []).append(measurement)
    for key, members in groups.items():
        seeds = [m.keys["seed"] for m in members]
        if len(set(seeds)) < len(seeds):
            raise expected("each seed once", f"seeds {seeds} of {dict(key)}", "Pool different runs.")
    return groups


def _shared_values(members):
    """Values of each member, by measure and evaluator, where all have them and sizes of sets agree."""
    by_key = [{v.key: v for v in m.values} for m in members]
    shared = {}
    for key in by_key[0]:
        groups = [values.get(key) for values in by_key]
        if all(g is not None and _set_sizes(g) == _set_sizes(groups[0]) for g in groups):
            shared[key] = groups
    return shared


def _set_sizes(values):
    return {k: v for k, v in values.sizes.items() if k in ("n", "n_real")}


def _paired_differences(minuend, subtrahend):
    """Differences of the values that agree in class and place in the class, and their classes."""
    if _set_sizes(minuend) != _set_sizes(subtrahend):
        return np.zeros(0), np.zeros(0, np.int64)
    places = zip(subtrahend.labels, order_in_class(subtrahend.labels), strict=True)
    index = {place: i for i, place in enumerate(places)}
    places = zip(minuend.labels, order_in_class(minuend.labels), strict=True)
    pairs = [(i, index[place]) for i, place in enumerate(places) if place in index]
    if not pairs:
        return np.zeros(0), np.zeros(0, np.int64)
    left, right = np.array(pairs).T
    return minuend.values[left].astype(np.float64) - subtrahend.values[right].astype(np.float64), minuend.labels[left]
