"""Base of the recipes of robust training: a perturbation budget that may ramp up, and the step size in it."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.attacks.losses import cross_entropy
from tfinv.errors import expected
from tfinv.training.base import ClassifierTraining
from tfinv.training.defence import Defence, check_range
from tfinv.training.perturbing import Ascent, perturb

_EPS = {"linf": 8 / 255, "l2": 128 / 255}


@dataclasses.dataclass(frozen=True)
class Robust(Defence):
    """Perturbation budget that a classifier is trained for.

    Attributes:
      STEP: default step size as a fraction of eps.
      eps: radius, for images in [0, 1]; None is the usual one for CIFAR-10, 8/255 in L-inf and 128/255 in L2, and these values
        are stored as None.
      norm: "linf" or "l2".
      ramp: fraction of the training over which eps and the step size rise from 0; large radii need it.
      step_size: of each step, in the same norm; None is `STEP` times eps.

    Raises:
      UserError: a field is out of range.
    """

    STEP: ClassVar[float] = 0.25
    COMBINES: ClassVar[bool] = True

    eps: float | None = None
    norm: str = "linf"
    ramp: float = 0.0
    step_size: float | None = None

    def __post_init__(self):
        if self.norm not in _EPS:
            raise expected(f"a norm of {self.NAME} among {', '.join(_EPS)}", repr(self.norm), "Change --defense.")
        if self.eps == _EPS[self.norm]:
            object.__setattr__(self, "eps", None)
        if self.eps is not None:
            # An image's L2 norm is the root of its number of pixels at most.
            check_range(self, 0.0, 1.0 if self.norm == "linf" else math.inf, "eps")
        check_range(self, 0.0, 1.0, "ramp")
        if self.step_size is not None:
            check_range(self, 0.0, math.inf, "step_size")

    @property
    def radius(self) -> float:
        """Effective eps: the field, or its default."""
        return _EPS[self.norm] if self.eps is None else self.eps

    @property
    def step_length(self) -> float:
        """Effective step size, after the ramp: the field, or its default."""
        return self.STEP * self.radius if self.step_size is None else self.step_size


class RobustTraining(ClassifierTraining):
    """Trains on perturbed images; the training accuracy is measured on them.

    The statistics of batch normalisation are frozen while a perturbation is computed, except in `Free`, which reuses the training
    passes. The further arguments are those of `ClassifierTraining`.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      defence: hyper-parameters.
    """

    def __init__(self, classifier, defence: Robust, **kwargs):
        super().__init__(classifier, **kwargs)
        self.defence = defence

    def ramp_factor(self) -> tf.Tensor:
        """Returns the fraction of eps that this step uses."""
        ramp = self.defence.ramp
        return tf.minimum(self.progress() / ramp, 1.0) if ramp else tf.constant(1.0)

    def inference_logits(self, images: tf.Tensor) -> tf.Tensor:
        """Returns logits (batch, classes) in float32, with training=False: the network's statistics stay unchanged."""
        return tf.cast(self.classifier(images, training=False), tf.float32)

    def ascent(self, steps: int) -> Ascent:
        """Returns the ascent of this training step, with eps and step size ramped up."""
        defence, factor = self.defence, self.ramp_factor()
        return Ascent(defence.radius * factor, defence.step_length * factor, steps, defence.norm)

    def pgd(self, images: tf.Tensor, labels: tf.Tensor, steps: int) -> tf.Tensor:
        """Perturbs images (batch, H, W, C) by PGD on the cross-entropy, from a random start."""
        return perturb(self.inference_logits, images, labels, cross_entropy, self.ascent(steps), self.step_seed())


def divergence(reference: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns (batch,) KL(softmax(reference) || softmax(logits)) in nats, in float32, of logits (batch, classes)."""
    log_reference = tf.nn.log_softmax(tf.cast(reference, tf.float32))
    return tf.reduce_sum(
        tf.exp(log_reference) * (log_reference - tf.nn.log_softmax(tf.cast(logits, tf.float32))), axis=1
    )
