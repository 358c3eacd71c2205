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
    """Asks for agreement of clean and perturbed image above all where the clean one is misclassified.

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

    def training(self, plan: Plan) -> "MartTraining":
        """See `MartTraining`."""
        return MartTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class MartTraining(RobustTraining):
    """Trains BCE(p(x'), y) + lambda KL(p(x) || p(x')) (1 - p_y(x)), x' found by PGD (Wang et al. 2020, equation 11).

    BCE is -log p_y - log(1 - max_{k != y} p_k), whose first part is the cross-entropy that label smoothing smooths. A step calls
    the network twice with training=True, first for the clean images, so batch normalisation moves its averages twice. The
    arguments are those of `RobustTraining`.
    """

    defence: Mart

    def __init__(self, classifier, defence: Mart = Mart(), **kwargs):
        super().__init__(classifier, defence, measured=("divergence",), **kwargs)

    def prepare(self, images, labels):
        """The images, and those where the cross-entropy is largest, both (batch, H, W, C)."""
        return images, self.worst(images, labels, self.defence.steps)

    def objective(self, labels, *inputs):
        """The boosted cross-entropy and the weighted divergence; the logits are those of the perturbed images."""
        clean, moved = (tf.cast(self.classifier(x, training=True), tf.float32) for x in inputs)
        doubt = 1.0 - tf.gather(tf.nn.softmax(clean), labels, batch_dims=1)
        away = tf.reduce_mean(divergence(clean, moved) * doubt)
        self.measured["divergence"].update_state(away)
        boosted = self.classification(labels, moved) + tf.reduce_mean(rival_cross_entropy(moved, labels))
        return boosted + self.defence.weight * away, moved


def rival_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """(batch,) -log(1 - p_k), k the likeliest class beside the label; from float32 logits (batch, classes).

    As the difference of two log-sums of exponentials, so that it stays finite, with a gradient, where p_k rounds to 1.
    """
    least = logits.dtype.min
    own = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool)
    rival = tf.one_hot(
        tf.argmax(tf.where(own, least, logits), axis=1), logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool
    )
    return tf.reduce_logsumexp(logits, axis=1) - tf.reduce_logsumexp(tf.where(rival, least, logits), axis=1)
