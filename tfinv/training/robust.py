"""What the recipes of robust training share: a budget that may rise along the training, and the size of a step in it."""

import dataclasses
import math
from typing import ClassVar

import tensorflow as tf

from tfinv.attacks.losses import cross_entropy
from tfinv.errors import expected
from tfinv.training.base import ClassifierTraining
from tfinv.training.defence import Defence, check_range
from tfinv.training.perturbing import perturb

_EPS = {"linf": 8 / 255, "l2": 128 / 255}


@dataclasses.dataclass(frozen=True)
class Robust(Defence):
    """The budget that a classifier is trained for.

    Attributes:
      STEP: a step's size over eps, where none is given.
      eps: radius, of images in [0, 1]; None, as which it is kept, is the field's for CIFAR-10: 8/255 in L-inf, 128/255 in L2.
      norm: "linf" or "l2".
      ramp: share of the training over which eps, and the step with it, rises from 0; large radii need it.
      step_size: of a step, in the same norm; None is `STEP` times eps.

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
        """The eps that is trained for, given or not."""
        return _EPS[self.norm] if self.eps is None else self.eps

    @property
    def size(self) -> float:
        """Of a step when eps has risen."""
        return self.STEP * self.radius if self.step_size is None else self.step_size


class RobustTraining(ClassifierTraining):
    """Trains on perturbed images; the accuracy shown in training is that on them.

    The network's statistics are frozen while a perturbation is sought, but in `Free`, which takes it from the passes that it
    learns from. The further arguments are those of `ClassifierTraining`.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      defence: hyper-parameters.
    """

    def __init__(self, classifier, defence: Robust, **kwargs):
        super().__init__(classifier, **kwargs)
        self.defence = defence

    def share(self) -> tf.Tensor:
        """How much of eps this step takes."""
        ramp = self.defence.ramp
        return tf.minimum(self.progress() / ramp, 1.0) if ramp else tf.constant(1.0)

    def frozen(self, images: tf.Tensor) -> tf.Tensor:
        """The logits (batch, classes) in float32, with the statistics of inference, which this leaves as they are."""
        return tf.cast(self.classifier(images, training=False), tf.float32)

    def worst(self, images: tf.Tensor, labels: tf.Tensor, steps: int) -> tf.Tensor:
        """The images (batch, H, W, C) where so many steps of PGD from a random start have raised the cross-entropy."""
        defence, share = self.defence, self.share()
        return perturb(
            self.frozen,
            images,
            labels,
            cross_entropy,
            eps=defence.radius * share,
            size=defence.size * share,
            steps=steps,
            seed=self.draw(),
            norm=defence.norm,
        )


def divergence(reference: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """(batch,) KL(softmax(reference) || softmax(logits)) in nats, in float32, of logits (batch, classes)."""
    logs = tf.nn.log_softmax(tf.cast(reference, tf.float32))
    return tf.reduce_sum(tf.exp(logs) * (logs - tf.nn.log_softmax(tf.cast(logits, tf.float32))), axis=1)
