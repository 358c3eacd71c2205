"""Adversarial training with PGD (Madry et al. 2018, arXiv 1706.06083)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.attacks.losses import cross_entropy
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence, check_range
from tfinv.training.perturbing import perturb


@dataclasses.dataclass(frozen=True)
class Adversarial(Defence):
    """Trains on the worst images that a few steps of PGD find in L-inf; the defaults are the authors' for CIFAR-10.

    Attributes:
      eps: radius, of images in [0, 1]; the authors' for MNIST is .3, with steps=40,step_size=.01.
      steps: of PGD.
      step_size: of a step; None is eps / 4, the authors' 2/255.
      ramp: share of the training over which eps, and the step with it, rises from 0; large radii need it.
    """

    NAME: ClassVar[str] = "adversarial"
    eps: float = 8 / 255
    steps: int = 7
    step_size: float | None = None
    ramp: float = 0.0

    def __post_init__(self):
        check_range(self, 0.0, 1.0, "eps", "ramp")
        check_range(self, 1, math.inf, "steps")
        if self.step_size is not None:
            check_range(self, 0.0, math.inf, "step_size")

    def training(self, plan: Plan) -> "AdversarialTraining":
        """See `AdversarialTraining`."""
        return AdversarialTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class AdversarialTraining(ClassifierTraining):
    """Trains max_{|delta| <= eps} CE(x + delta, y) (Madry et al. 2018, equation 2.1), the maximum found by PGD.

    The accuracy shown in training is that on the perturbed images. The further arguments are those of `ClassifierTraining`.
    """

    def __init__(self, classifier, defence: Adversarial = Adversarial(), **kwargs):
        super().__init__(classifier, **kwargs)
        self.defence = defence

    def share(self) -> tf.Tensor:
        """How much of eps this step takes."""
        ramp = self.defence.ramp
        return tf.minimum(self.progress() / ramp, 1.0) if ramp else tf.constant(1.0)

    def prepare(self, images, labels):
        """The perturbed images, in place of the images."""
        defence, share = self.defence, self.share()
        size = defence.eps / 4 if defence.step_size is None else defence.step_size
        return (
            perturb(
                lambda x: self.classifier(x, training=False),
                images,
                labels,
                cross_entropy,
                eps=defence.eps * share,
                size=size * share,
                steps=defence.steps,
                seed=self.draw(),
            ),
        )
