"""Estimate of an audit's time, from the measured cost of a prediction and of a gradient."""

import dataclasses
import time
from collections.abc import Callable, Mapping

from tfinv import attacks, inversion
from tfinv.attacks import Attack
from tfinv.auditing.budget import Budget
from tfinv.auditing.subjects.subject import Subject
from tfinv.errors import expected
from tfinv.evaluation.robustness.gradient_check import margin_gradients

# Audits of longer than this are asked for twice.
LONG = 3600.0
# Settings of preprocessing that the checks of the clean accuracy try, of which most are left out after a fifth of the images.
_SETTINGS = 4
# Share of the images that withstand, so that an attack goes on with them; and cost of a step of a training, in gradients.
_STANDING, _TRAINING = 0.5, 2.0
# Seconds of a training step of a small convolutional network for each number of an image, on one core: it took 60 s to train two of
# them for five epochs on 4,000 digits of 784.
_EVALUATOR = 1e-6
# Rows of a step of an inversion, of which fewer take as long.
_FEWEST_ROWS = 8
# Compiled functions of a question: attacks, checks, methods.
_TRACES = {"robustness": 8, "inversion": 4}


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of a model's work on this machine.

    Attributes:
      prediction: of one image.
      gradient: of one image, of the prediction's backward pass too; 0 for a model without gradients.
      tracing: of one compiled function.
    """

    prediction: float
    gradient: float
    tracing: float


@dataclasses.dataclass(frozen=True)
class Scope:
    """Scope of an audit of a subject, beside its budget.

    Attributes:
      questions: names of those that are asked.
      images: number of images that there are.
      pixels: numbers of one image.
      classes: of the model.
      gradients: whether it has gradients.
      scores: whether it gives scores.
      corruptions: number of corruptions and severities together.
      shadows: number of shadow models to be trained.
    """

    questions: tuple[str, ...]
    images: int
    pixels: int
    classes: int
    gradients: bool
    scores: bool
    corruptions: int
    shadows: int


def measure_cost(subject: Subject) -> Cost:
    """Measures a model on one batch of its images."""
    size = min(subject.batch_size, len(subject.data))
    images, labels, classifier = subject.images[0:size], subject.data.labels[:size], subject.attacked
    classifier.predict(images[:1])  # the first call traces
    prediction = _seconds(lambda: classifier.predict(images, size)) / size
    if not classifier.differentiable:
        return Cost(prediction, 0.0, 0.0)
    first = _seconds(lambda: margin_gradients(classifier, images, labels, size))
    second = _seconds(lambda: margin_gradients(classifier, images, labels, size))
    return Cost(prediction, second / size, max(0.0, first - second))


def estimate(budget: Budget, scope: Scope, cost: Cost) -> dict[str, float]:
    """Estimates the seconds of each question. Half of the images are taken to withstand each attack."""
    attacked = min(budget.attacks.images, scope.images)
    seconds = {
        "accuracy": cost.prediction * (min(budget.images, scope.images) + _SETTINGS * min(budget.probed, scope.images)),
        "calibration": 0.0,
        "corruptions": cost.prediction * min(budget.corrupted, scope.images) * scope.corruptions,
        "robustness": attacked * _attacks(budget, scope, cost) + _checks(budget, scope, cost),
        "inversion": _inversion(budget, scope, cost),
        "membership": cost.prediction * 2 * budget.members + _shadows(budget, scope, cost),
    }
    traces = _TRACES if scope.gradients else {}
    return {name: seconds[name] + cost.tracing * traces.get(name, 0) for name in scope.questions}


def describe(seconds: Mapping[str, float], cost: Cost) -> str:
    """Returns the estimate as a line."""
    parts = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items())
    gradient = f", a gradient {1000 * cost.gradient:.3g} ms" if cost.gradient else ""
    return (
        f"estimated {duration(sum(seconds.values()))} on this machine ({parts}; "
        f"a prediction takes {1000 * cost.prediction:.3g} ms an image{gradient})"
    )


def check_time(seconds: Mapping[str, float], agree: Callable[[str], bool] | None) -> None:
    """Refuses an audit of more than an hour that nobody has agreed to.

    Args:
      seconds: of each question.
      agree: is told the estimate, and says whether to begin; None for yes.

    Raises:
      UserError: it is estimated to take longer, and nobody agrees.
    """
    total = sum(seconds.values())
    if total > LONG and agree is not None and not agree(f"estimated {duration(total)} of work"):
        raise expected(
            "an audit of at most an hour, or --yes",
            f"one of about {duration(total)}",
            "Pass --yes (in Python yes=True), a smaller --budget, or fewer --questions.",
        )


def duration(seconds: float) -> str:
    """Returns a time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def attack_forms(budget: Budget, gradients: bool, scores: bool) -> list[tuple[tuple[str, ...], tuple[float, ...]]]:
    """Returns the groups of attacks that suit what a model gives, each with its eps as multiples of that which it is judged by.

    Args:
      budget: of the audit.
      gradients: whether the model has gradients.
      scores: whether it gives scores.
    """
    requested, curve = budget.attacks, budget.attacks.curve_factors
    if gradients:
        return [(requested.curve, curve), (requested.strongest, (1.0,)), ((requested.minimal,), curve)]
    without = tuple(name for name in requested.curve if attacks.attack(name).needs == "labels")
    groups = [(without, curve), ((requested.labels_minimal,), curve)]
    return [groups[0], (requested.scores_strongest, (1.0,)), groups[1]] if scores else groups


def _attacks(budget: Budget, scope: Scope, cost: Cost) -> float:
    """Seconds of all attacks on one image."""
    total = 0.0
    for forms, factors in attack_forms(budget, scope.gradients, scope.scores):
        for attack in map(attacks.attack, forms):
            runs = 1 if attack.MINIMAL else len(factors)
            share = 1.0 if attack.MINIMAL or attack.single_step else _STANDING
            total += runs * share * _one_run(attack, scope.classes, cost)
    return total


def _one_run(attack: Attack, classes: int, cost: Cost) -> float:
    """Seconds of all steps of an attack on one image."""
    if attack.parts:
        return sum(_STANDING * _one_run(part, classes, cost) for part in attack.parts)
    fields = vars(attack)
    if attack.needs != "gradients":
        return cost.prediction * fields.get("queries", fields.get("draws", 1))
    targets = min(fields.get("n_targets", 1), classes - 1)
    return cost.gradient * fields.get("steps", 1) * fields.get("restarts", 1) * targets


def _checks(budget: Budget, scope: Scope, cost: Cost) -> float:
    effort = budget.attacks.effort
    if not scope.gradients:
        return 0.0
    # PGD at the largest and at half the range, which most images do not withstand; then further attacks of those that do.
    steps = effort.steps * (1 + 2 + 1) + effort.minimal_steps
    predictions = effort.queries + effort.draws
    return _STANDING * effort.images * (cost.gradient * steps + cost.prediction * predictions)


def _inversion(budget: Budget, scope: Scope, cost: Cost) -> float:
    settings = budget.inversion
    forms = settings.methods if scope.gradients else settings.scores_methods if scope.scores else ()
    rows = min(settings.classes, scope.classes)
    total = 0.0
    for method in map(inversion.method, forms):
        step = cost.gradient or cost.prediction
        total += step * method.steps * max(_FEWEST_ROWS, rows * (settings.samples if method.is_drawn else 1))
    steps = settings.images * settings.epochs * len(settings.evaluators)
    return total + _EVALUATOR * scope.pixels * steps


def step_of(cost: Cost) -> float:
    """Seconds of a gradient of one image, or about as many where the model has none."""
    return cost.gradient or 3 * cost.prediction


def _shadows(budget: Budget, scope: Scope, cost: Cost) -> float:
    return _TRAINING * step_of(cost) * budget.members * budget.shadow_epochs * scope.shadows
