"""The points of a frontier: what several seeds of each recipe have of robust accuracy and of what an inversion gets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.frontier import Interval, Point
from tfinv.evaluation.intervals import mean_interval, rate_interval
from tfinv.evaluation.inversion_checks import CONVINCED
from tfinv.evaluation.measurement import EQUAL, Measurement
from tfinv.evaluation.pooling import estimate

Row = dict[str, Any]


def points_of(
    rows: Iterable[Row],
    measured: Sequence[Measurement],
    swept: Sequence[str],
    twins: Mapping[str, str],
    *,
    attack: str,
    eps: float,
    method: str,
    measure: str,
    chance: float,
    seeds: Sequence[int],
    unsound: Mapping[tuple[str, int], Sequence[str]] | None = None,
) -> list[Point]:
    """One point a recipe: the mean over its seeds, and over evaluators.

    The interval of robust accuracy holds the seeds' (Student's) and the images' (Wilson's, of one seed's images: all attack the
    same); that of the inversion has classes and seeds as its units, see `pooling`, and is the mean of the evaluators' ends, which
    is no narrower than theirs together. A seed that shows nothing is left out: one whose model has not learnt to classify, whose
    robust accuracy fails a check, or who does not itself believe its reconstructions; where no other is left, the point has a
    flaw.

    Args:
      rows: of which those of kind "accuracy" are read.
      measured: the inversions, at the equal budget.
      swept: the recipes of the sweep.
      twins: by each recipe held against it, the one in the sweep that it is a variant of.
      attack: of the accuracy.
      eps: of the accuracy.
      method: of the inversion.
      measure: of the inversion.
      chance: accuracy of a model that always names the commonest class.
      seeds: those to take.
      unsound: by recipe and seed, the checks that its robust accuracy fails; None is none.
    """
    points, kept = [], list(rows)
    for spec in (*swept, *twins):
        accuracies = [r for r in kept if r["kind"] == "accuracy" and r["experiment"] == spec]
        clean = {r["seed"]: r for r in accuracies if r["attack"] == "none"}
        robust = {r["seed"]: r for r in accuracies if (r["attack"], r["eps"]) == (attack, eps)}
        own = {"experiment": spec, "method": method, "budget": EQUAL}
        inverted = {m.keys["seed"]: m for m in measured if own.items() <= m.keys.items()}
        runs = [s for s in seeds if s in clean and s in robust and s in inverted]
        flaws = {s: _flaw(clean[s], inverted[s], chance, (unsound or {}).get((spec, s), ())) for s in runs}
        used = [s for s in runs if not flaws[s]] or runs
        given = _given_away([inverted[s] for s in used], measure) if used else None
        if given is None:
            continue
        x, x_interval = _robust([robust[s] for s in used])
        points.append(
            Point(
                spec,
                x,
                given[0],
                x_interval,
                given[1],
                swept=spec in swept,
                accuracies={s: clean[s]["accuracy"] for s in used},
                twin=twins.get(spec, ""),
                flaw=flaws[used[0]],
                left_out=", ".join(f"seed {s}, {flaws[s]}" for s in runs if s not in used),
            )
        )
    return points


def _flaw(clean: Row, inverted: Measurement, chance: float, failed: Sequence[str]) -> str:
    if clean["ci95"][0] <= chance:
        return f"which has not learnt to classify ({100 * clean['accuracy']:.1f} %)"
    if failed:
        return f"whose robust accuracy fails {', '.join(failed)}"
    confidence = float(inverted.find("confidence").values.mean())
    if confidence < CONVINCED:
        return f"whose inversion does not reach its class (confidence {confidence:.2f})"
    return ""


def _robust(runs: Sequence[Row]) -> tuple[float, Interval]:
    """Mean over the seeds, and an interval that allows for seeds and images."""
    values, n = np.array([r["accuracy"] for r in runs]), runs[0]["n"]
    ends = [rate_interval(round(float(values.mean()) * n), n)]
    if (of_seeds := mean_interval(values)) is not None:
        ends.append(of_seeds)
    return float(values.mean()), (max(0.0, min(e[0] for e in ends)), min(1.0, max(e[1] for e in ends)))


def _given_away(runs: Sequence[Measurement], measure: str) -> tuple[float, Interval | None] | None:
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
