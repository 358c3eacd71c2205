"""The points of a frontier: robust accuracy and a leak, over the seeds of each recipe."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.frontier.leaks import Leak, widest
from tfinv.evaluation.frontier.line import Interval, Point
from tfinv.evaluation.statistics.intervals import mean_interval, rate_interval

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Plane:
    """The two measures of a frontier: robust accuracy (x) and a leak (y).

    Attributes:
      attack: of the accuracy.
      eps: of the accuracy.
      leak: what the models give away.
      chance: accuracy of a model that always predicts the most frequent class.
    """

    attack: str
    eps: float
    leak: Leak
    chance: float


def points_of(
    rows: Iterable[Row],
    swept: Sequence[str],
    twins: Mapping[str, str],
    plane: Plane,
    *,
    seeds: Sequence[int],
    unsound: Mapping[tuple[str, int], Sequence[str]] | None = None,
) -> list[Point]:
    """Makes one point of each recipe: the mean over its seeds.

    The interval of robust accuracy holds the seeds' (Student's) and the images' (Wilson's, of one seed's images: all attack the
    same); `leaks` has that of the leak. A seed is left out if its model has not learnt to classify, fails a check of its robust
    accuracy, or has a flaw by its leak; if no seed is left, the point has a flaw.

    Args:
      rows: of any kinds; those of kind "accuracy" are read.
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
        leaks = {s: flaw for s in seeds if (flaw := plane.leak.flaw(spec, s)) is not None}
        runs = [s for s in seeds if s in clean and s in robust and s in leaks]
        flaws = {s: _flaw(clean[s], plane.chance, (unsound or {}).get((spec, s), ())) or leaks[s] for s in runs}
        used = [s for s in runs if not flaws[s]] or runs
        mean = plane.leak.mean(spec, used) if used else None
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


def _flaw(clean: Row, chance: float, failed: Sequence[str]) -> str:
    """Reason to leave out a seed, whatever it gives away; "" for none."""
    if clean["ci95"][0] <= chance:
        return f"which has not learnt to classify ({100 * clean['accuracy']:.1f} %)"
    if failed:
        return f"whose robust accuracy fails {', '.join(failed)}"
    return ""


def robust_accuracy(runs: Sequence[Row]) -> tuple[float, Interval]:
    """Mean over the seeds, and an interval that allows for seeds and images.

    Args:
      runs: rows of kind "accuracy" of one training, attack and eps: one a seed, all of the same images.
    """
    values, n = np.array([r["accuracy"] for r in runs]), runs[0]["n"]
    images = rate_interval(round(float(values.mean()) * n), n)
    return float(values.mean()), widest([images, mean_interval(values)])
