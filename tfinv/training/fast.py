"""Adversarial training with a single gradient step: fast (Wong et al. 2020, arXiv 2001.03994), N-FGSM (arXiv 2202.01181)."""

import dataclasses
import math
from typing import ClassVar

from tfinv.attacks.losses import cross_entropy
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import clip_to_unit, gradient_ascent, uniform_noise
from tfinv.training.robust import Robust, RobustTraining


@dataclasses.dataclass(frozen=True)
class Fast(Robust):
    """Takes one step of 1.25 eps from a uniform random start, and projects back to eps (Wong et al. 2020, algorithm 3).

    See `Robust` for the fields. In a long training or with a large eps it may suddenly lose all robustness to attacks of several
    steps: "catastrophic overfitting".
    """

    NAME: ClassVar[str] = "fast"
    STEP: ClassVar[float] = 1.25

    def build(self, plan: Plan) -> "FastTraining":
        """See `FastTraining`."""
        return FastTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


@dataclasses.dataclass(frozen=True)
class NFGSM(Robust):
    """Takes one step of eps from strong noise, without projection to eps, which makes catastrophic overfitting rare.

    de Jorge et al. 2022, algorithm 1, for L-inf. See `Robust` for the other fields.

    Attributes:
      noise: k, the radius of the uniform noise divided by eps.
    """

    NAME: ClassVar[str] = "nfgsm"
    STEP: ClassVar[float] = 1.0
    noise: float = 2.0

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "noise")

    def build(self, plan: Plan) -> "NFGSMTraining":
        """See `NFGSMTraining`."""
        return NFGSMTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class FastTraining(RobustTraining):
    """Trains CE(x + delta, y), delta one gradient step from a random start; the arguments are those of `RobustTraining`."""

    defence: Fast

    def __init__(self, classifier, defence: Fast = Fast(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    def prepare(self, images, labels):
        """Returns the perturbed images."""
        return (self.pgd(images, labels, 1),)


class NFGSMTraining(RobustTraining):
    """Trains CE(x + eta + step, y), eta noise and the step taken there; the arguments are those of `RobustTraining`."""

    defence: NFGSM

    def __init__(self, classifier, defence: NFGSM = NFGSM(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    def prepare(self, images, labels):
        """Returns the perturbed images, in [0, 1] but not always within eps."""
        defence = self.defence
        radius = defence.noise * defence.radius * self.ramp_factor()
        noise = uniform_noise(images, radius, defence.norm, self.step_seed())
        perturbed = gradient_ascent(
            lambda x: cross_entropy(self.inference_logits(x), labels),
            clip_to_unit(images + noise),
            clip_to_unit,
            self.ascent(1),
        )
        return (perturbed,)
