"""Anti-adversarial training, AT-AT (ICLR 2026, github.com/BreuerLabs/Anti-Adversarial-Training)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.attacks.losses import cross_entropy as each_cross_entropy
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan, cross_entropy
from tfinv.training.defence import Defence, check_range
from tfinv.training.perturbing import perturb


@dataclasses.dataclass(frozen=True)
class ATAT(Defence):
    """Trains the classifier to be fooled: a tiny perturbation may turn any image into any other class.

    An inversion follows the gradient to a class; here that way ends beside every image. The price is robustness, of which
    nothing is left. eps and step_size are of images in [0, 1], half of the authors' figures for [-1, 1].

    Attributes:
      weight: lambda, of the loss at the perturbed image.
      eps: radius in L-inf.
      step_size: of a step.
      steps: of the perturbation.
    """

    NAME: ClassVar[str] = "atat"
    COMBINES: ClassVar[bool] = True
    weight: float = 0.08
    eps: float = 2.5e-4
    step_size: float = 5e-5
    steps: int = 5

    def __post_init__(self):
        check_range(self, 0.0, math.inf, "weight", "eps", "step_size", "steps")

    def training(self, plan: Plan) -> "ATATTraining":
        """See `ATATTraining`."""
        return ATATTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class ATATTraining(ClassifierTraining):
    """Trains CE(x, y) + lambda min_{|delta| <= eps} CE(x + delta, y'), y' a random class other than y.

    The further arguments are those of `ClassifierTraining`.
    """

    def __init__(self, classifier, defence: ATAT = ATAT(), **kwargs):
        super().__init__(classifier, measured=("other_loss",), **kwargs)
        self.defence = defence

    def prepare(self, images, labels):
        """The images, those perturbed towards another class, and these classes (batch,)."""
        classes = self.classifier.output_shape[-1]
        seed = self.draw(0)
        shift = replicas.rows(lambda s: tf.random.stateless_uniform(s, seed, 1, classes, tf.int32), tf.shape(labels))
        others = (labels + tf.cast(shift, labels.dtype)) % classes
        defence = self.defence
        perturbed = perturb(
            lambda x: self.classifier(x, training=False),
            images,
            others,
            each_cross_entropy,
            eps=defence.eps,
            size=defence.step_size,
            steps=defence.steps,
            seed=self.draw(1),
            towards=True,
        )
        return images, perturbed, others

    def objective(self, labels, *inputs):
        """Both cross-entropies."""
        images, perturbed, others = inputs
        logits = self.classifier(images, training=True)
        other = cross_entropy(others, self.classifier(perturbed, training=True))
        self.measured["other_loss"].update_state(other)
        return self.classification(labels, logits) + self.defence.weight * other, logits
