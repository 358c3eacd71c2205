"""Adversarial training with PGD (Madry et al. 2018, arXiv 1706.06083)."""

import dataclasses
import math
from typing import ClassVar

from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.robust import Robust, RobustTraining


@dataclasses.dataclass(frozen=True)
class Adversarial(Robust):
    """Trains on images perturbed by a few steps of PGD; the defaults are the paper's for CIFAR-10.

    The authors' eps for MNIST is .3, with steps=40,step_size=.01. See `Robust` for the other fields.

    Attributes:
      steps: of PGD.
    """

    NAME: ClassVar[str] = "adversarial"
    steps: int = 7

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 1, math.inf, "steps")

    def build(self, plan: Plan) -> "AdversarialTraining":
        """See `AdversarialTraining`."""
        return AdversarialTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class AdversarialTraining(RobustTraining):
    """Trains max_{|delta| <= eps} CE(x + delta, y) (Madry et al. 2018, equation 2.1), the maximum found by PGD.

    The arguments are those of `RobustTraining`.
    """

    defence: Adversarial

    def __init__(self, classifier, defence: Adversarial = Adversarial(), **kwargs):
        super().__init__(classifier, defence, **kwargs)

    def prepare(self, images, labels):
        """Returns the perturbed images."""
        return (self.pgd(images, labels, self.defence.steps),)
