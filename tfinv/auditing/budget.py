"""`Budget`: how much an audit does for each question, and the eps that it judges robustness by."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfinv.catalogue import BUDGETS
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.robustness.checks import Effort

# Drawings in ink: their pixels are black or white, and stay readable under what would drown a photograph.
INK_EPS, SHADED_EPS, PHOTO_EPS = 0.3, 0.1, 8 / 255
_INK, _SHADED = 0.75, 0.5  # shares of pixels near black or white
_NEAR = 0.1
_PROBED = 500  # images that tell


@dataclasses.dataclass(frozen=True)
class AttackBudget:
    """Adversarial attacks, as text forms. What a model can't answer is asked of what it gives: scores, or labels alone.

    Attributes:
      images: number of images under attack, the first of the split.
      curve: attacks at each eps of the curve.
      strongest: attacks at the eps that the model is judged by, alone.
      minimal: attack for the smallest perturbation.
      scores_strongest: in place of `strongest`, for a model without gradients that gives scores.
      labels_minimal: in place of `minimal`, for a model without gradients.
      curve_factors: eps of the curve, as multiples of the eps that the model is judged by.
      effort: budget of the checks.
    """

    images: int
    curve: tuple[str, ...]
    strongest: tuple[str, ...]
    minimal: str
    scores_strongest: tuple[str, ...] = ("square(queries=5000)",)
    labels_minimal: str = "hopskipjump(norm=linf,queries=1000)"
    curve_factors: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    effort: Effort = dataclasses.field(default_factory=Effort)


@dataclasses.dataclass(frozen=True)
class InversionBudget:
    """Inversions, and the networks that look at the reconstructions.

    Attributes:
      methods: text forms, of a model with gradients.
      scores_methods: of a model that gives scores.
      labels_methods: of a model that gives labels alone.
      classes: number of classes to reconstruct at most, the first.
      samples: reconstructions of a class, where the method draws.
      evaluators: their specs.
      images: training images of the evaluators at most.
      epochs: of the evaluators.
    """

    methods: tuple[str, ...]
    scores_methods: tuple[str, ...]
    labels_methods: tuple[str, ...]
    classes: int
    samples: int
    evaluators: tuple[str, ...]
    images: int
    epochs: int


@dataclasses.dataclass(frozen=True)
class Budget:
    """Budget of an audit.

    Attributes:
      name: one of `catalogue.BUDGETS`.
      images: for accuracy and calibration, the first of the split.
      probed: for the checks of the clean accuracy.
      corrupted: under each corruption.
      attacks: of robustness.
      inversion: of inversion.
      members: members, and likewise non-members, at most.
      shadows: shadow models of membership; 0 for none.
      shadow_epochs: of the training of each, at most.
      seconds: limits of the estimated time: within the first if that takes no fewer images than `fewest`, else the next. None
        for no limit.
    """

    name: str
    images: int
    probed: int
    corrupted: int
    attacks: AttackBudget
    inversion: InversionBudget
    members: int
    shadows: int
    shadow_epochs: int = 30
    seconds: tuple[float, ...] = ()

    def halved(self, question: str, least: int) -> "Budget":
        """Returns the budget with half of a question's images, but no fewer than `least`; itself where there is nothing to cut."""

        def half(count: int, floor: int = least) -> int:
            return min(count, max(floor, count // 2))

        attacks, inversion = self.attacks, self.inversion
        changes: dict[str, Any] = {}
        if question == "accuracy":
            changes = {"images": half(self.images), "probed": half(self.probed, _LEAST_PROBED)}
        elif question == "corruptions":
            changes = {"corrupted": half(self.corrupted)}
        elif question == "robustness":
            effort = dataclasses.replace(attacks.effort, images=half(attacks.effort.images, LEAST_IMAGES))
            changes = {"attacks": dataclasses.replace(attacks, images=half(attacks.images), effort=effort)}
        elif question == "inversion":
            classes, images = half(inversion.classes, _LEAST_CLASSES), half(inversion.images, 10 * least)
            changes = {"inversion": dataclasses.replace(inversion, classes=classes, images=images)}
        elif question == "membership":
            changes = {"members": half(self.members, _LEAST_MEMBERS)}
        return dataclasses.replace(self, **changes)

    def counts(self) -> dict[str, int]:
        """Returns the numbers that `halved` cuts, by their units."""
        return {
            "images for accuracy and calibration": self.images,
            "images for the checks of the clean accuracy": self.probed,
            "images under each corruption": self.corrupted,
            "images under attack": self.attacks.images,
            "images for the checks of the attacks": self.attacks.effort.images,
            "classes reconstructed": self.inversion.classes,
            "training images of the evaluators": self.inversion.images,
            "members, and as many others,": self.members,
        }


# Fewer tell a wrong preprocessing or a member from chance too rarely.
_LEAST_PROBED = 100
# Non-members that a rate of one in a hundred needs.
_LEAST_MEMBERS = 500
# Classes, of which fewer are no evidence that others recognise them.
_LEAST_CLASSES = 5
# Images of a question where the first limit of time is kept.
_USUAL_LEAST = 100
# Images under attack, of which fewer leave an interval of half of all accuracies.
LEAST_IMAGES = 16

_QUICK = Budget(
    "quick",
    images=1000,
    probed=500,
    corrupted=200,
    attacks=AttackBudget(
        images=200,
        curve=("noise", "fgsm", "pgd(steps=20)"),
        strongest=("apgdt(steps=30,n_targets=3)",),
        minimal="fmn(steps=50)",
        labels_minimal="hopskipjump(norm=linf,queries=500)",
        effort=Effort(images=50, steps=20, queries=100, draws=30, minimal_steps=0),
    ),
    inversion=InversionBudget(
        methods=("miface(start=average,steps=300)", "gradient(steps=300)"),
        scores_methods=("network(steps=500)",),
        labels_methods=(),
        classes=10,
        samples=2,
        evaluators=("cnn", "convnet"),
        images=5000,
        epochs=6,
    ),
    members=1000,
    shadows=0,
    seconds=(220.0, 780.0),
)
_STANDARD = Budget(
    "standard",
    images=10_000,
    probed=500,
    corrupted=1000,
    attacks=AttackBudget(
        images=1000,
        curve=("noise", "fgsm", "pgd(steps=40)"),
        strongest=("autoattack",),
        minimal="fmn(steps=100)",
        effort=Effort(images=200, steps=40, queries=1000, draws=300, minimal_steps=100),
    ),
    inversion=InversionBudget(
        methods=("miface(start=average)", "gradient(steps=1000)", "gmi"),
        scores_methods=("network(steps=1000)",),
        labels_methods=("brep(steps=150)",),
        classes=40,
        samples=4,
        evaluators=("mlp", "cnn", "resnet"),
        images=20_000,
        epochs=10,
    ),
    members=5000,
    shadows=8,
)
_THOROUGH = Budget(
    "thorough",
    images=10_000,
    probed=500,
    corrupted=10_000,
    attacks=AttackBudget(
        images=10_000,
        curve=("noise", "fgsm", "pgd(steps=40,restarts=3)"),
        strongest=("autoattack",),
        minimal="fmn(steps=200)",
        labels_minimal="hopskipjump(norm=linf,queries=5000)",
        effort=Effort(images=300, steps=40, queries=1000, draws=1000, minimal_steps=100),
    ),
    inversion=InversionBudget(
        methods=("miface(start=average)", "gradient(steps=2000)", "gmi", "plg", "multiscale"),
        scores_methods=("network(steps=3000)",),
        labels_methods=("brep(steps=500)",),
        classes=1000,
        samples=8,
        evaluators=("mlp", "cnn", "resnet", "cnn+adversarial"),
        images=100_000,
        epochs=20,
    ),
    members=10_000,
    shadows=32,
)
_BUDGETS = dict(zip(BUDGETS, (_QUICK, _STANDARD, _THOROUGH), strict=True))


def budget(name: str) -> Budget:
    """Returns the budget with this name.

    Raises:
      UserError: there is none.
    """
    if name not in _BUDGETS:
        raise expected(f"a budget among {', '.join(BUDGETS)}", repr(name), "Change --budget.")
    return _BUDGETS[name]


def default_eps(data: Dataset) -> tuple[float, str]:
    """Returns the eps in L-inf that a model of such images is usually judged by, as a fraction of the range, and the reason.

    Drawings in ink, as MNIST's digits, get .3 (Madry et al. 2018), grey images that are half ink, as Fashion-MNIST's, .1, and
    photographs 8/255 (RobustBench, Croce et al. 2021).
    """
    pixels = data.images_at(slice(0, _PROBED))
    share = float(np.mean((pixels <= _NEAR) | (pixels >= 1 - _NEAR)))
    if pixels.shape[-1] != 1 or share < _SHADED:
        return PHOTO_EPS, "8/255, the usual budget for photographs"
    description = f"grey images, {100 * share:.0f} % of whose pixels are nearly black or white"
    if share >= _INK:
        return INK_EPS, f"{INK_EPS}, the usual budget for drawings in ink, as MNIST's digits are: {description}"
    return SHADED_EPS, f"{SHADED_EPS}, the usual budget for shaded drawings: {description}"


def fit(requested: Budget, seconds: Callable[[Budget], Mapping[str, float]]) -> Budget:
    """Returns a budget that is estimated to end in time. Where it must, the question that takes longest gets half of its images.

    Args:
      requested: the budget.
      seconds: estimates the time of each question of a budget.
    """
    fitted = requested
    for limit, least in zip(requested.seconds, (_USUAL_LEAST, LEAST_IMAGES), strict=False):
        fitted = requested
        while sum((times := seconds(fitted)).values()) > limit:
            longest = sorted(times, key=lambda question: -times[question])
            cuts = [cut for question in longest if (cut := fitted.halved(question, least)) != fitted]
            if not cuts:
                break
            fitted = cuts[0]
        else:
            return fitted
    return fitted


def left_out(requested: Budget, fitted: Budget) -> list[str]:
    """Returns what `fit` cut, a phrase each."""
    counts = fitted.counts()
    return [f"{counts[name]} {name} in place of {n}" for name, n in requested.counts().items() if counts[name] < n]
