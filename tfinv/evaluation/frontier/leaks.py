"""Leaks of the models of a frontier, its y axes: a measure of an inversion, or the AUC of a membership attack."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tfinv.evaluation.frontier.line import Interval
from tfinv.evaluation.inversion.inversion_checks import CONVINCED
from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.intervals import mean_interval
from tfinv.evaluation.statistics.measurement import EQUAL, Measurement


class Leak(Protocol):
    """A measure of what models give away, by recipe and seed."""

    def flaw(self, experiment: str, seed: int) -> str | None:
        """Reason not to count the measure of a model, "" for none; None where the model was not measured."""

    def mean(self, experiment: str, seeds: Sequence[int]) -> tuple[float, Interval | None] | None:
        """Mean over seeds that were measured, with its interval; None where the measure is not among what was measured."""


class InversionLeak:
    """A measure of reconstructions at the equal budget; the mean is over evaluators, too.

    The interval has classes and seeds as its units, see `estimation`, and is the mean of the evaluators' ends, which is no narrower
    than an interval of all evaluators together. A model that is not confident in its own reconstructions has a flaw.

    Args:
      measurements: of any inversions.
      method: of the inversion.
      measure: its name.
    """

    def __init__(self, measurements: Iterable[Measurement], method: str, measure: str):
        self._measure = measure
        self._runs = {
            (m.keys["experiment"], m.keys["seed"]): m
            for m in measurements
            if {"method": method, "budget": EQUAL}.items() <= m.keys.items()
        }

    def flaw(self, experiment: str, seed: int) -> str | None:
        """See `Leak.flaw`."""
        run = self._runs.get((experiment, seed))
        if run is None:
            return None
        confidence = float(run.find("confidence").values.mean())
        if confidence < CONVINCED:
            return f"whose inversion does not reach its class (confidence {confidence:.2f})"
        return ""

    def mean(self, experiment: str, seeds: Sequence[int]) -> tuple[float, Interval | None] | None:
        """See `Leak.mean`."""
        runs = [self._runs[experiment, seed] for seed in seeds]
        keys = [v.key for v in runs[0].values if v.measure == self._measure]
        if not keys:
            return None
        estimates = [estimate([m.find(*key) for m in runs]) for key in keys]
        intervals = [i for e in estimates if (i := e.interval()) is not None]
        value = float(np.mean([e.value for e in estimates]))
        if len(intervals) < len(estimates):
            return value, None
        low, high = np.mean(intervals, axis=0)
        return value, (float(low), float(high))


class MembershipLeak:
    """AUC of a membership attack. The interval holds that of the images, the mean of the seeds' own, and the seeds' (Student's).

    Args:
      rows: of any kinds; those of kind "membership" are read.
      attack: text form of the attack.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]], attack: str):
        areas = [row for row in rows if row["kind"] == "membership" and row["measure"] == "auc"]
        of_attack = [row for row in areas if row["attack"] == attack and row.get("target") is not None]
        self._runs = {(row["experiment"], row["seed"]): row for row in of_attack}

    def flaw(self, experiment: str, seed: int) -> str | None:
        """See `Leak.flaw`."""
        return "" if (experiment, seed) in self._runs else None

    def mean(self, experiment: str, seeds: Sequence[int]) -> tuple[float, Interval | None] | None:
        """See `Leak.mean`."""
        runs = [self._runs[experiment, seed] for seed in seeds]
        values = np.array([run["value"] for run in runs])
        return float(values.mean()), widest([np.mean([run["ci95"] for run in runs], axis=0), mean_interval(values)])


def widest(intervals: Iterable[Sequence[float] | np.ndarray | None]) -> Interval:
    """Interval of a share that holds each of some; None among them is left out."""
    ends = np.array([interval for interval in intervals if interval is not None])
    return max(0.0, float(ends[:, 0].min())), min(1.0, float(ends[:, 1].max()))
