"""TRADES: robustness as agreement with what the network says of the clean image (Zhang et al. 2019, arXiv 1901.08573)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.training import replicas
from tfinv.training.base import Plan
from tfinv.training.defence import check_range
from tfinv.training.perturbing import ball, climb
from tfinv.training.robust import Robust, RobustTraining, divergence

# Standard deviation of the start: at the image itself the divergence is least, and has no gradient.
_SPREAD = 0.001


@dataclasses.dataclass(frozen=True)
class Trades(Robust):
    """Trades accuracy on the clean images for agreement with the perturbed ones.

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

    def training(self, plan: Plan) -> "TradesTraining":
        """See `TradesTraining`."""
        return TradesTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class TradesTraining(RobustTraining):
    """Trains CE(f(x), y) + beta max_{|delta| <= eps} KL(f(x) || f(x + delta)) (Zhang et al. 2019, equation 5, algorithm 1).

    A step calls the network twice with training=True, first for the clean images, so batch normalisation moves its averages
    twice. The arguments are those of `RobustTraining`.
    """

    defence: Trades

    def __init__(self, classifier, defence: Trades = Trades(), **kwargs):
        super().__init__(classifier, defence, measured=("divergence",), **kwargs)

    def prepare(self, images, labels):
        """The images, and those where the divergence from them is largest, both (batch, H, W, C)."""
        defence, share = self.defence, self.share()
        within = ball(images, defence.radius * share, defence.norm)
        clean = tf.nn.softmax(self.frozen(images))
        seed = self.draw()
        start = images + _SPREAD * replicas.rows(lambda s: tf.random.stateless_normal(s, seed), tf.shape(images))
        moved = climb(
            # The divergence but for the entropy of the clean prediction, which has no gradient here.
            lambda x: tf.nn.softmax_cross_entropy_with_logits(clean, self.frozen(x)),
            within(start),
            within,
            size=defence.size * share,
            steps=defence.steps,
            norm=defence.norm,
        )
        return images, moved

    def objective(self, labels, *inputs):
        """Cross-entropy of the clean images and the divergence; the logits are those of the perturbed images."""
        clean, moved = (self.classifier(x, training=True) for x in inputs)
        away = tf.reduce_mean(divergence(clean, moved))
        self.measured["divergence"].update_state(away)
        return self.classification(labels, clean) + self.defence.beta * away, moved
