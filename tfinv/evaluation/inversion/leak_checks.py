"""Whether reconstructions show what the model gave away: not its adversarial examples, nor what the attacker had before."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfinv.evaluation.check import Check
from tfinv.evaluation.inversion_checks import CONVINCED
from tfinv.evaluation.measurement import Measurement, Values
from tfinv.evaluation.pooling import estimate

# Of a difference that is called beyond doubt.
_LEVEL = 0.05
_NOBODY = "no reconstruction convinces its own model"
_TOO_FEW = "too few classes and seeds to tell"


@dataclasses.dataclass
class _Run:
    """What one attack on one model came to: its mean confidence, and by evaluator the values of every seed."""

    where: str
    confidence: float
    hits: dict[str | None, list[Values]]
    starts: dict[str | None, list[Values]]


def leak_checks(measured: Sequence[Measurement], num_classes: int) -> list[Check]:
    """Both checks of reconstructions that convince the attacked model.

    Args:
      measured: the reconstructions with "confidence", "acc@1" and "start_acc@1", of one seed or several.
      num_classes: of the evaluators; they guess right once in so many.
    """
    return [convince_others(measured, num_classes), exceed_their_start(measured)]


def convince_others(measured: Sequence[Measurement], num_classes: int) -> Check:
    """A reconstruction that convinces its own model must convince others too, or it is an adversarial example.

    Args:
      measured: see `leak_checks`.
      num_classes: see `leak_checks`.
    """
    judged = _confident(measured)
    several = [run for run in judged if len(run.hits) > 1]
    told = [run for run in several if all(_can_tell(groups, num_classes) for groups in run.hits.values())]
    failures: list[str] = []
    shown: list[str] = []
    for run in told:
        convinced = [name for name, groups in run.hits.items() if _beyond_chance(groups, num_classes)]
        shown.append(f"{run.where}: {len(convinced)} of {len(run.hits)} evaluators")
        if len(convinced) < 2:
            named = "convinces no evaluator" if not convinced else f"convinces {convinced[0]} alone"
            failures.append(
                f"{run.where}: {100 * run.confidence:.0f} % confidence, {named} of {len(run.hits)} beyond chance"
            )
    nothing = _NOBODY if not judged else _TOO_FEW if several else "one evaluator can't tell"
    return Check(
        "reconstructions-convince-others",
        not failures if told else None,
        "; ".join(failures or shown) or nothing,
        "These images are adversarial examples of the model they were made from: no evidence of a leak, and none of privacy "
        "either. An Acc@1 that a single evaluator gives can't be read as a leak. Use other starts, priors or transformations, "
        "and look at the nearest training images.",
    )


def exceed_their_start(measured: Sequence[Measurement]) -> Check:
    """Evaluators must see the class more often in the reconstructions than in what the attack began with.

    An attacker with images of the class, a generator of them or their average begins with what the model can't have told.

    Args:
      measured: see `leak_checks`.
    """
    judged = [run for run in _confident(measured) if run.starts]
    failures: list[str] = []
    shown: list[str] = []
    for run in judged:
        gains = {
            name: [
                dataclasses.replace(end, values=end.values.astype(float) - start.values)
                for end, start in zip(run.hits[name], starts, strict=True)
            ]
            for name, starts in run.starts.items()
        }
        if not all(_gain_can_tell(groups) for groups in gains.values()):
            continue
        found = {name: estimate(groups) for name, groups in gains.items()}
        more = [name for name, gain in found.items() if gain.value > 0 and gain.p_value() < _LEVEL]
        mean = 100 * float(np.mean([gain.value for gain in found.values()]))
        said = f"{run.where}: {mean:+.0f} points, beyond doubt by {len(more)} of {len(found)} evaluators"
        (shown if len(more) >= min(2, len(found)) else failures).append(said)
    return Check(
        "reconstructions-exceed-their-start",
        not failures if failures or shown else None,
        "; ".join(failures or shown) or (_TOO_FEW if judged else _NOBODY),
        "What these images show of their class, the attacker had before the model was asked: their Acc@1 is no measure of what the "
        "model gives away. Compare models by differences, and look at attackers who know less.",
    )


def _confident(measured):
    """The runs that convinced the attacked model, in their order."""
    found: dict[tuple[str, ...], dict[str, dict[str | None, list[Values]]]] = {}
    for measurement in measured:
        run = found.setdefault(tuple(str(measurement.keys[k]) for k in ("experiment", "method", "budget")), {})
        for values in measurement.values:
            run.setdefault(values.measure, {}).setdefault(values.evaluator, []).append(values)
    runs = []
    for key, by_measure in found.items():
        seeds = by_measure.get("confidence", {}).get(None, [])
        confidence = float(np.mean([values.values.mean() for values in seeds])) if seeds else 0.0
        if confidence >= CONVINCED and "acc@1" in by_measure:
            runs.append(_Run(", ".join(key), confidence, by_measure["acc@1"], by_measure.get("start_acc@1", {})))
    return runs


def _gain_can_tell(groups):
    """Whether so many classes and seeds could be beyond doubt at all, were every reconstruction recognised and no start."""
    return estimate([dataclasses.replace(g, values=np.ones(len(g.values))) for g in groups]).p_value() < _LEVEL


def _can_tell(groups, num_classes):
    """Whether so many classes and seeds could be beyond chance at all, were every reconstruction recognised."""
    cells = sum(len(np.unique(g.labels)) for g in groups)
    all_right = [dataclasses.replace(g, values=np.ones(len(g.values), bool)) for g in groups]
    return cells > 1 and _beyond_chance(all_right, num_classes)


def _beyond_chance(groups, num_classes):
    # Samples of a class look alike to an evaluator: it is classes and seeds that count.
    interval = estimate(groups).interval()
    return interval is not None and interval[0] > 1 / num_classes
