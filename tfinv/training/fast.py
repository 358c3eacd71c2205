"""Adversarial training with a single gradient step: fast (Wong et al. 2020, arXiv 2001.03994), N-FGSM (arXiv 2202.01181)."""

import dataclasses
import math
from typing import ClassVar

from tfinv.attacks.losses import cross_entropy
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import climb, noise, unit
from tfinv.training.robust import Robust, RobustTraining


@dataclasses.dataclass(frozen=True)
class Fast(Robust):
    """One step of 1.25 eps from a uniform random start, cut back to eps (Wong et al. 2020, algorithm 3).

    See `Robust` for the fields. Trained for long or with a large eps it may suddenly lose all robustness to attacks of several
    steps, the paper's "catastrophic overfitting".
    """

    NAME: ClassVar[str] = "fast"
    STEP: ClassVar[float] = 1.25

    def training(self, plan: Plan) -> "FastTraining":
        """See `FastTraining`."""
        return FastTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


@dataclasses.dataclass(frozen=True)
class NFGSM(Robust):
    """One step of eps from strong noise, and not cut back to eps, which is seldom overtaken by catastrophic overfitting.

    de Jorge et al. 2022, algorithm 1, there for L-inf. See `Robust` for the other fields.

    Attributes:
      noise: k, the radius of the uniform noise over eps.
    """

    NAME: ClassVar[str] = "nfgsm"
    STEP: ClassVar[float] = 1.0
    noise: float = 2.0

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "noise")

    def training(self, plan: Plan) -> "NFGSMTraining":
        """See `NFGSMTraining`."""
        return NFGSMTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class FastTraining(RobustTraining):
    """Trains CE(x + delta, y), delta one gradient step from a random start; the arguments are those of `RobustTraining`."""

    defence: Fast

    def __init__(self, classifier, defence: Fast = Fast(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    def prepare(self, images, labels):
        """The perturbed images, in place of the images."""
        return (self.worst(images, labels, 1),)


class NFGSMTraining(RobustTraining):
    """Trains CE(x + eta + step, y), eta noise and the step taken there; the arguments are those of `RobustTraining`."""

    defence: NFGSM

    def __init__(self, classifier, defence: NFGSM = NFGSM(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    def prepare(self, images, labels):
        """The perturbed images, in place of the images: in [0, 1], and outside the ball of radius eps."""
        defence, share = self.defence, self.share()
        drawn = noise(images, defence.noise * defence.radius * share, defence.norm, self.draw())
        moved = climb(
            lambda x: cross_entropy(self.frozen(x), labels),
            unit(images + drawn),
            unit,
            size=defence.size * share,
            steps=1,
            norm=defence.norm,
        )
        return (moved,)
