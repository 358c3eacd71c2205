"""TRADES: robustness as agreement with the prediction on the clean image (Zhang et al. 2019, arXiv 1901.08573)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.training import replicas
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import ball_projection, gradient_ascent
from tfinv.training.robust import Robust, RobustTraining, divergence

# Standard deviation of the start: at the image itself the divergence is minimal, and has no gradient.
_START_DEVIATION = 0.001


@dataclasses.dataclass(frozen=True)
class Trades(Robust):
    """Trades accuracy on clean images for agreement of clean and perturbed predictions.

    The defaults are the authors' for CIFAR-10, rounded to 8/255 and 2/255; theirs for MNIST are
    eps=.3,steps=40,step_size=.01,beta=1 or 6. See `Robust` for the other fields.

    Attributes:
      beta: weight of the divergence, 1 / lambda in the paper.
      steps: of the perturbation.
    """

    NAME: ClassVar[str] = "trades"
    beta: float = 6.0
    steps: int = 10

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "beta")
        check_range(self, 1, math.inf, "steps")

    def build(self, plan: Plan) -> "TradesTraining":
        """See `TradesTraining`."""
        return TradesTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class TradesTraining(RobustTraining):
    """Trains CE(f(x), y) + beta max_{|delta| <= eps} KL(f(x) || f(x + delta)) (Zhang et al. 2019, equation 5, algorithm 1).

    A step calls the network twice with training=True, first for the clean images, so batch normalisation updates its
    averages twice. The arguments are those of `RobustTraining`.
    """

    defence: Trades

    def __init__(self, classifier, defence: Trades = Trades(), **kwargs):
        super().__init__(classifier, defence, extra_metrics=("divergence",), **kwargs)

    def prepare(self, images, labels):
        """Returns the images, and those that maximise the divergence from them, both (batch, H, W, C)."""
        ascent = self.ascent(self.defence.steps)
        project = ball_projection(images, ascent.eps, ascent.norm)
        clean = tf.nn.softmax(self.inference_logits(images))
        seed = self.step_seed()
        noise = replicas.draw_rows(lambda s: tf.random.stateless_normal(s, seed), tf.shape(images))
        perturbed = gradient_ascent(
            # The divergence without the entropy of the clean prediction, which has no gradient here.
            lambda x: tf.nn.softmax_cross_entropy_with_logits(clean, self.inference_logits(x)),
            project(images + _START_DEVIATION * noise),
            project,
            ascent,
        )
        return images, perturbed

    def objective(self, labels, *inputs):
        """Returns the cross-entropy of the clean images plus weighted divergence, and the logits of the perturbed images."""
        clean, perturbed = (self.classifier(x, training=True) for x in inputs)
        mean_divergence = tf.reduce_mean(divergence(clean, perturbed))
        self.extra_metrics["divergence"].update_state(mean_divergence)
        return self.classification(labels, clean) + self.defence.beta * mean_divergence, perturbed
