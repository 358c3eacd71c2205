"""Anti-adversarial training, AT-AT (ICLR 2026, github.com/BreuerLabs/Anti-Adversarial-Training)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.attacks.losses import cross_entropy as example_cross_entropy
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan, cross_entropy
from tfinv.training.defence import Defence, check_range
from tfinv.training.perturbing import Ascent, perturb


@dataclasses.dataclass(frozen=True)
class ATAT(Defence):
    """Trains the classifier to be fooled: a tiny perturbation can turn any image into any other class.

    An inversion follows the gradient to a class; here that gradient leads to a point close to any image. The price is all of the
    robustness. eps and step_size are for images in [0, 1], half of the authors' values for [-1, 1].

    Attributes:
      weight: lambda, of the loss at the perturbed image.
      eps: radius in L-inf.
      step_size: of each step.
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

    def build(self, plan: Plan) -> "ATATTraining":
        """See `ATATTraining`."""
        return ATATTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class ATATTraining(ClassifierTraining):
    """Trains CE(x, y) + lambda min_{|delta| <= eps} CE(x + delta, y'), y' a random class other than y.

    The further arguments are those of `ClassifierTraining`.
    """

    def __init__(self, classifier, defence: ATAT = ATAT(), **kwargs):
        super().__init__(classifier, extra_metrics=("other_loss",), **kwargs)
        self.defence = defence

    def prepare(self, images, labels):
        """Returns the images, those perturbed towards random other classes, and these classes (batch,)."""
        classes = self.classifier.output_shape[-1]
        seed = self.step_seed(0)
        shift = replicas.draw_rows(
            lambda s: tf.random.stateless_uniform(s, seed, 1, classes, tf.int32), tf.shape(labels)
        )
        targets = (labels + tf.cast(shift, labels.dtype)) % classes
        defence = self.defence
        perturbed = perturb(
            lambda x: self.classifier(x, training=False),
            images,
            targets,
            example_cross_entropy,
            Ascent(defence.eps, defence.step_size, defence.steps),
            self.step_seed(1),
            targeted=True,
        )
        return images, perturbed, targets

    def objective(self, labels, *inputs):
        """Returns the weighted sum of both cross-entropies, and the logits of the images."""
        images, perturbed, targets = inputs
        logits = self.classifier(images, training=True)
        other_loss = cross_entropy(targets, self.classifier(perturbed, training=True))
        self.extra_metrics["other_loss"].update_state(other_loss)
        return self.classification(labels, logits) + self.defence.weight * other_loss, logits
