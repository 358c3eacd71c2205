"""Negative label smoothing (Struppek et al. 2024, "Be careful what you smooth for", arXiv 2310.06549)."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.training.base import ClassifierTraining, Plan, smooth_labels
from tfinv.training.defence import Defence, check_range


@dataclasses.dataclass(frozen=True)
class NLS(Defence):
    """Trains with labels smoothed by a negative amount: the target is above 1 for the class, and below 0 for the others.

    From the first step on, a negative amount can keep a network from learning, so smoothing starts later.

    Attributes:
      alpha: amount of smoothing; the paper's defence has -.05, and above 0 it is the usual smoothing, which helps attackers.
      start: fraction of the training before smoothing starts.
      full: fraction of the training at which smoothing reaches alpha; between the two it grows linearly.
    """

    NAME: ClassVar[str] = "nls"
    alpha: float = -0.05
    start: float = 0.5
    full: float = 0.75

    def __post_init__(self):
        check_range(self, -math.inf, 1.0, "alpha")
        check_range(self, 0.0, 1.0, "start", "full")
        check_range(self, self.start, 1.0, "full")

    def build(self, plan: Plan) -> "NLSTraining":
        """See `NLSTraining`."""
        return NLSTraining(plan.classifier, self, steps=plan.steps, seed=plan.seed)


class NLSTraining(ClassifierTraining):
    """Trains with smoothed labels; the further arguments are those of `ClassifierTraining`."""

    def __init__(self, classifier, defence: NLS = NLS(), **kwargs):
        super().__init__(classifier, extra_metrics=("alpha",), **kwargs)
        self.defence = defence

    def alpha(self) -> tf.Tensor:
        """Returns the amount of smoothing in this step."""
        defence = self.defence
        if defence.full == defence.start:
            factor = tf.cast(self.progress() >= defence.start, tf.float32)
        else:
            factor = tf.clip_by_value((self.progress() - defence.start) / (defence.full - defence.start), 0.0, 1.0)
        return defence.alpha * factor

    def objective(self, labels, *inputs):
        """Returns the cross-entropy with smoothed labels, and the logits. Unbounded below if alpha < 0: see docs/defences.md."""
        logits, alpha = self.classifier(inputs[0], training=True), self.alpha()
        self.extra_metrics["alpha"].update_state(alpha)
        targets = smooth_labels(labels, logits.shape[-1], alpha)
        loss = -tf.reduce_sum(targets * tf.nn.log_softmax(tf.cast(logits, tf.float32)), axis=1)
        return tf.reduce_mean(loss), logits
