"""The points of a frontier: robust accuracy and a measure of an inversion, over the seeds of each recipe."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.frontier.line import Interval, Point
from tfinv.evaluation.inversion.inversion_checks import CONVINCED
from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.intervals import mean_interval, rate_interval
from tfinv.evaluation.statistics.measurement import EQUAL, Measurement

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Plane:
    """The two measures of a frontier: robust accuracy (x) and a measure of an inversion (y).

    Attributes:
      attack: of the accuracy.
      eps: of the accuracy.
      method: of the inversion.
      measure: of the inversion.
      chance: accuracy of a model that always predicts the most frequent class.
    """

    attack: str
    eps: float
    method: str
    measure: str
    chance: float


def points_of(
    rows: Iterable[Row],
    measurements: Sequence[Measurement],
    swept: Sequence[str],
    twins: Mapping[str, str],
    plane: Plane,
    *,
    seeds: Sequence[int],
    unsound: Mapping[tuple[str, int], Sequence[str]] | None = None,
) -> list[Point]:
    """Makes one point of each recipe: the mean over its seeds, and over evaluators.

    The interval of robust accuracy holds the seeds' (Student's) and the images' (Wilson's, of one seed's images: all attack the
    same); that of the inversion has classes and seeds as its units, see `estimation`, and is the mean of the evaluators' ends,
    which is no narrower than an interval of all evaluators together. A seed is left out if its model has not learnt to classify,
    fails a check of its robust accuracy, or is not confident in its own reconstructions; if no seed is left, the point has a flaw.

    Args:
      rows: of any kinds; those of kind "accuracy" are read.
      measurements: of the inversions, at the equal budget.
      swept: the recipes of the sweep.
      twins: by recipe outside the sweep, the one in the sweep that it is a variant of.
      plane: the two measures.
      seeds: the seeds to use.
      unsound: by recipe and seed, the checks that its robust accuracy fails; None is none.
    """
    points = []
    accuracy_rows = [r for r in rows if r["kind"] == "accuracy"]
    for spec in (*swept, *twins):
        accuracies = [r for r in accuracy_rows if r["experiment"] == spec]
        clean = {r["seed"]: r for r in accuracies if r["attack"] == "none"}
        robust = {r["seed"]: r for r in accuracies if (r["attack"], r["eps"]) == (plane.attack, plane.eps)}
        keys = {"experiment": spec, "method": plane.method, "budget": EQUAL}
        inverted = {m.keys["seed"]: m for m in measurements if keys.items() <= m.keys.items()}
        runs = [s for s in seeds if s in clean and s in robust and s in inverted]
        flaws = {s: _flaw(clean[s], inverted[s], plane.chance, (unsound or {}).get((spec, s), ())) for s in runs}
        used = [s for s in runs if not flaws[s]] or runs
        mean = _inversion_mean([inverted[s] for s in used], plane.measure) if used else None
        if mean is None:
            continue
        y, y_interval = mean
        x, x_interval = robust_accuracy([robust[s] for s in used])
        points.append(
            Point(
                spec,
                x,
                y,
                x_interval,
                y_interval,
                swept=spec in swept,
                accuracies={s: clean[s]["accuracy"] for s in used},
                twin=twins.get(spec, ""),
                flaw=flaws[used[0]],
                left_out=", ".join(f"seed {s}, {flaws[s]}" for s in runs if s not in used),
            )
        )
    return points


def _flaw(clean: Row, inverted: Measurement, chance: float, failed: Sequence[str]) -> str:
    """Reason to leave out a seed; "" for none."""
    if clean["ci95"][0] <= chance:
        return f"which has not learnt to classify ({100 * clean['accuracy']:.1f} %)"
    if failed:
        return f"whose robust accuracy fails {', '.join(failed)}"
    confidence = float(inverted.find("confidence").values.mean())
    if confidence < CONVINCED:
        return f"whose inversion does not reach its class (confidence {confidence:.2f})"
    return ""


def robust_accuracy(runs: Sequence[Row]) -> tuple[float, Interval]:
    """Mean over the seeds, and an interval that allows for seeds and images.

    Args:
      runs: rows of kind "accuracy" of one training, attack and eps: one a seed, all of the same images.
    """
    values, n = np.array([r["accuracy"] for r in runs]), runs[0]["n"]
    ends = [rate_interval(round(float(values.mean()) * n), n)]
    if (of_seeds := mean_interval(values)) is not None:
        ends.append(of_seeds)
    return float(values.mean()), (max(0.0, min(e[0] for e in ends)), min(1.0, max(e[1] for e in ends)))


def _inversion_mean(runs: Sequence[Measurement], measure: str) -> tuple[float, Interval | None] | None:
    """Mean over seeds and evaluators, with its interval; None where it was not measured."""
    keys = [v.key for v in runs[0].values if v.measure == measure]
    if not keys:
        return None
    estimates = [estimate([m.find(*key) for m in runs]) for key in keys]
    intervals = [i for e in estimates if (i := e.interval()) is not None]
    value = float(np.mean([e.value for e in estimates]))
    if len(intervals) < len(estimates):
        return value, None
    low, high = np.mean(intervals, axis=0)
    return value, (float(low), float(high))
