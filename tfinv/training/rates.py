"""Learning rates: the one that each architecture bears, and its course along the training."""

import math

import keras
import tensorflow as tf

from tfinv import models

RATE_SCHEDULES = ("cosine", "cyclic", "piecewise", "constant")

# Where the piecewise schedule divides the rate by ten, as shares of the training (Rice et al. 2020 divide at 100 and 150 of 200).
_DROPS = (0.5, 0.75)


def default_rate(architecture: str, image_shape: tuple[int, ...]) -> float:
    """Adam's rate at the start.

    Adam moves every weight by about its rate in a step, so the input of a sigmoid behind n bright pixels moves by about n times
    that. At 1e-3 the sigmoids of an image of 10,000 pixels saturate in the first steps and never come back.

    Args:
      architecture: as `tfinv.models.build` takes it.
      image_shape: (H, W, C).
    """
    return min(1e-3, 1.0 / math.prod(image_shape)) if models.name_of(architecture) == "mlp" else 1e-3


def sgd_rate(network: keras.Model) -> float:
    """The highest rate of SGD with momentum .9: .1 with batch normalisation, as published for CIFAR-10; .01 without."""
    normalised = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    return 0.1 if normalised else 0.01


def rate_schedule(
    name: str, rate: float, steps: int, warmup: float | None = None
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The course of the learning rate over all steps.

    Args:
      name: one of `RATE_SCHEDULES`. "cosine" falls to 0 along a half wave (Loshchilov and Hutter 2017), "cyclic" rises from 0
        in a straight line and falls back to 0 in another (Wong et al. 2020), "piecewise" divides by ten at a half and
        at three quarters, "constant" stays.
      rate: the highest.
      steps: of the training.
      warmup: share of the steps in which "cosine" and "cyclic" rise; None is 0 for the one and .5 for the other.
    """
    if name == "cosine":
        rise = round((warmup or 0.0) * steps)
        if not rise:
            return keras.optimizers.schedules.CosineDecay(rate, steps)
        return keras.optimizers.schedules.CosineDecay(0.0, max(steps - rise, 1), warmup_target=rate, warmup_steps=rise)
    if name == "cyclic":
        return Triangular(rate, round((0.5 if warmup is None else warmup) * steps), steps)
    if name == "piecewise":
        # Keras keeps a value up to and including its boundary.
        ends = [math.ceil(share * steps) - 1 for share in _DROPS]
        return keras.optimizers.schedules.PiecewiseConstantDecay(ends, [rate, rate / 10, rate / 100])
    return float(rate)


class Triangular(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from 0 to the peak, and falls to 0 at the end, both in straight lines.

    Args:
      peak: the highest rate.
      rise: steps until it.
      steps: of the training.
    """

    def __init__(self, peak: float, rise: int, steps: int):
        super().__init__()
        self.peak, self.rise, self.steps = peak, rise, steps

    def __call__(self, step):
        """The rate of a step, which counts from 0."""
        step = tf.cast(step, tf.float32)
        up = step / max(self.rise, 1)
        down = (self.steps - step) / max(self.steps - self.rise, 1)
        return self.peak * tf.clip_by_value(tf.where(step < self.rise, up, down), 0.0, 1.0)

    def get_config(self):
        """The arguments."""
        return {"peak": self.peak, "rise": self.rise, "steps": self.steps}
