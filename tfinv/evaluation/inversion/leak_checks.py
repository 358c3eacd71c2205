"""Checks that reconstructions show a leak: they are no adversarial examples, and more than the attacker had before."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion.inversion_checks import CONVINCED
from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.measurement import Measurement, Values

# Significance level of a difference.
_LEVEL = 0.05
_NOBODY = "no reconstruction convinces its own model"
_TOO_FEW = "too few classes and seeds to tell"


@dataclasses.dataclass
class _Run:
    """Results of one attack on one model: its mean confidence, and by evaluator the values of every seed."""

    name: str
    confidence: float
    hits: dict[str | None, list[Values]]
    starts: dict[str | None, list[Values]]


def leak_checks(measurements: Sequence[Measurement], num_classes: int) -> list[Check]:
    """Runs both checks, on reconstructions that convince the attacked model.

    Args:
      measurements: of reconstructions, with "confidence", "acc@1" and "start_acc@1", of one seed or several.
      num_classes: of the evaluators, whose chance of guessing right is one in so many.
    """
    return [convince_others(measurements, num_classes), exceed_their_start(measurements)]


def convince_others(measurements: Sequence[Measurement], num_classes: int) -> Check:
    """Checks that reconstructions that convince the attacked model convince evaluators too: else they are adversarial examples.

    Args:
      measurements: see `leak_checks`.
      num_classes: see `leak_checks`.
    """
    runs = _confident(measurements)
    several = [run for run in runs if len(run.hits) > 1]
    testable = [run for run in several if all(_can_exceed_chance(groups, num_classes) for groups in run.hits.values())]
    failures: list[str] = []
    shown: list[str] = []
    for run in testable:
        convinced = [name for name, groups in run.hits.items() if _beyond_chance(groups, num_classes)]
        shown.append(f"{run.name}: {len(convinced)} of {len(run.hits)} evaluators")
        if len(convinced) < 2:
            named = "convinces no evaluator" if not convinced else f"convinces {convinced[0]} alone"
            failures.append(
                f"{run.name}: {100 * run.confidence:.0f} % confidence, {named} of {len(run.hits)} beyond chance"
            )
    nothing = _NOBODY if not runs else _TOO_FEW if several else "one evaluator can't tell"
    return Check(
        "reconstructions-convince-others",
        not failures if testable else None,
        "; ".join(failures or shown) or nothing,
        "These images are adversarial examples of the model they were made from: no evidence of a leak, and none of privacy "
        "either. An Acc@1 that a single evaluator gives can't be read as a leak. Use other starts, priors or transformations, "
        "and look at the nearest training images.",
    )


def exceed_their_start(measurements: Sequence[Measurement]) -> Check:
    """Checks that evaluators recognise the class more often in the reconstructions than in the attack's starts.

    An attacker with images of the class, a generator of them or their average starts with what did not come from the model.

    Args:
      measurements: see `leak_checks`.
    """
    runs = [run for run in _confident(measurements) if run.starts]
    failures: list[str] = []
    shown: list[str] = []
    for run in runs:
        gains = {
            name: [
                dataclasses.replace(end, values=end.values.astype(float) - start.values)
                for end, start in zip(run.hits[name], starts, strict=True)
            ]
            for name, starts in run.starts.items()
        }
        if not all(_can_gain(groups) for groups in gains.values()):
            continue
        means = {name: estimate(groups) for name, groups in gains.items()}
        significant = [name for name, gain in means.items() if gain.value > 0 and gain.p_value() < _LEVEL]
        points = 100 * float(np.mean([gain.value for gain in means.values()]))
        sentence = f"{run.name}: {points:+.0f} points, beyond doubt by {len(significant)} of {len(means)} evaluators"
        (shown if len(significant) >= min(2, len(means)) else failures).append(sentence)
    return Check(
        "reconstructions-exceed-their-start",
        not failures if failures or shown else None,
        "; ".join(failures or shown) or (_TOO_FEW if runs else _NOBODY),
        "What these images show of their class, the attacker had before the model was asked: their Acc@1 is no measure of what the "
        "model gives away. Compare models by differences, and look at attackers who know less.",
    )


def _confident(measurements):
    """The runs that convinced the attacked model, in their order."""
    values_of: dict[tuple[str, ...], dict[str, dict[str | None, list[Values]]]] = {}
    for measurement in measurements:
        run = values_of.setdefault(tuple(str(measurement.keys[k]) for k in ("experiment", "method", "budget")), {})
        for values in measurement.values:
            run.setdefault(values.measure, {}).setdefault(values.evaluator, []).append(values)
    runs = []
    for key, by_measure in values_of.items():
        seeds = by_measure.get("confidence", {}).get(None, [])
        confidence = float(np.mean([values.values.mean() for values in seeds])) if seeds else 0.0
        if confidence >= CONVINCED and "acc@1" in by_measure:
            runs.append(_Run(", ".join(key), confidence, by_measure["acc@1"], by_measure.get("start_acc@1", {})))
    return runs


def _can_gain(groups):
    """Whether the gain would be significant if every reconstruction were recognised and no start: too few classes can't show it."""
    return estimate([dataclasses.replace(g, values=np.ones(len(g.values))) for g in groups]).p_value() < _LEVEL


def _can_exceed_chance(groups, num_classes):
    """Whether the rate would be beyond chance if every reconstruction were recognised: too few classes can't show it."""
    cells = sum(len(np.unique(g.labels)) for g in groups)
    all_right = [dataclasses.replace(g, values=np.ones(len(g.values), bool)) for g in groups]
    return cells > 1 and _beyond_chance(all_right, num_classes)


def _beyond_chance(groups, num_classes):
    # Samples of a class look alike to an evaluator: it is classes and seeds that count.
    interval = estimate(groups).interval()
    return interval is not None and interval[0] > 1 / num_classes
