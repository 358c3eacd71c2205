"""MART: misclassification-aware adversarial training (Wang et al. 2020, ICLR)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.robust import Robust, RobustTraining, divergence


@dataclasses.dataclass(frozen=True)
class Mart(Robust):
    """Weights the agreement of clean and perturbed predictions by the misclassification of the clean image.

    The defaults are the authors' for CIFAR-10. See `Robust` for the other fields.

    Attributes:
      weight: lambda, of the weighted divergence.
      steps: of PGD.
    """

    NAME: ClassVar[str] = "mart"
    weight: float = 5.0
    steps: int = 10

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "weight")
        check_range(self, 1, math.inf, "steps")

    def build(self, plan: Plan) -> "MartTraining":
        """See `MartTraining`."""
        return MartTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class MartTraining(RobustTraining):
    """Trains BCE(p(x'), y) + lambda KL(p(x) || p(x')) (1 - p_y(x)), x' found by PGD (Wang et al. 2020, equation 11).

    BCE is -log p_y - log(1 - max_{k != y} p_k), and label smoothing applies to the first term. A step calls
    the network twice with training=True, first for the clean images, so batch normalisation updates its averages twice. The
    arguments are those of `RobustTraining`.
    """

    defence: Mart

    def __init__(self, classifier, defence: Mart = Mart(), **kwargs):
        super().__init__(classifier, defence, extra_metrics=("divergence",), **kwargs)

    def prepare(self, images, labels):
        """Returns the images, and those perturbed by PGD, both (batch, H, W, C)."""
        return images, self.pgd(images, labels, self.defence.steps)

    def objective(self, labels, *inputs):
        """Returns boosted cross-entropy plus weighted divergence, and the logits of the perturbed images."""
        clean, perturbed = (tf.cast(self.classifier(x, training=True), tf.float32) for x in inputs)
        weights = 1.0 - tf.gather(tf.nn.softmax(clean), labels, batch_dims=1)
        weighted = tf.reduce_mean(divergence(clean, perturbed) * weights)
        self.extra_metrics["divergence"].update_state(weighted)
        boosted = self.classification(labels, perturbed) + tf.reduce_mean(rival_cross_entropy(perturbed, labels))
        return boosted + self.defence.weight * weighted, perturbed


def rival_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns (batch,) -log(1 - p_k), k the likeliest class except the label; from float32 logits (batch, classes).

    As a difference of two log-sum-exps, it stays finite, with a gradient, where p_k rounds to 1.
    """
    lowest = logits.dtype.min
    label = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool)
    rival = tf.one_hot(
        tf.argmax(tf.where(label, lowest, logits), axis=1),
        logits.shape[-1],
        on_value=True,
        off_value=False,
        dtype=tf.bool,
    )
    return tf.reduce_logsumexp(logits, axis=1) - tf.reduce_logsumexp(tf.where(rival, lowest, logits), axis=1)
