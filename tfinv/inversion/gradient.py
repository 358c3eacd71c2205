"""Plain gradient inversion: normalised gradient steps on the pixels until a class is as likely as it gets."""

import dataclasses

import tensorflow as tf

from tfinv import threat
from tfinv.errors import expected
from tfinv.inversion.base import History, Inversion


@dataclasses.dataclass(frozen=True)
class Gradient(Inversion):
    """x <- clip(x - rate * g / |g|) on a cost of the logits, with an optional total variation.

    The gradient's length is divided out, since equal steps along raw gradients favour the model whose gradients happen
    to be small.

    Attributes:
      steps: at most so many.
      start: one of `starts.STARTS`.
      loss: a key of `tfinv.inversion.losses.LOSSES`.
      rate: L2 length of one step, on images scaled to [0, 1].
      total_variation: weight of the mean absolute difference of neighbouring pixels.
      patience: stop a row when its cost has not fallen by `tolerance` for so many steps; 0 never stops.
      tolerance: see patience.
    """

    rate: float = 0.1
    total_variation: float = 0.0
    patience: int = 0
    tolerance: float = 1e-4

    def __post_init__(self):
        super().__post_init__()
        if not self.rate > 0:
            raise expected("a positive rate", self.rate, "Change the argument `rate`.")
        for name in ("total_variation", "patience", "tolerance"):
            if not getattr(self, name) >= 0:
                raise expected(f"{name} of at least 0", getattr(self, name), f"Change the argument `{name}`.")

    def penalty(self, images: tf.Tensor) -> tf.Tensor:
        """Weighted anisotropic total variation, averaged over pixels."""
        if not self.total_variation:
            return super().penalty(images)
        pixels = tf.cast(tf.size(images[0]), tf.float32)
        rough = tf.reduce_sum(tf.abs(images[:, 1:] - images[:, :-1]), axis=[1, 2, 3])
        rough += tf.reduce_sum(tf.abs(images[:, :, 1:] - images[:, :, :-1]), axis=[1, 2, 3])
        return self.total_variation * rough / pixels

    def move(self, gradient: tf.Tensor) -> tf.Tensor:
        """A step of length `rate` down the gradient."""
        return -self.rate * threat.steepest(gradient, "l2")

    def stop(self, history: History) -> tf.Tensor:
        """Whether the cost has levelled off."""
        if not self.patience:
            return tf.zeros_like(history.since_best, tf.bool)
        return history.since_best >= self.patience
