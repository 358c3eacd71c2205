"""Learning rates: the default of each architecture, and schedules."""

import math

import keras
import tensorflow as tf

from tfinv import models

# Where the piecewise schedule divides the rate by ten, as fractions of the training (Rice et al. 2020: epochs 100 and 150 of 200).
_DROPS = (0.5, 0.75)


def default_rate(architecture: str, image_shape: tuple[int, ...]) -> float:
    """Returns Adam's initial learning rate.

    Adam moves every weight by about its rate in a step, so the input of a sigmoid after n bright pixels moves by about n times
    that. At 1e-3 the sigmoids after 10,000 pixels saturate in the first steps and never recover.

    Args:
      architecture: as `tfinv.models.build` takes it.
      image_shape: (H, W, C).
    """
    return min(1e-3, 1.0 / math.prod(image_shape)) if models.name_of(architecture) == "mlp" else 1e-3


def sgd_rate(network: keras.Model) -> float:
    """Returns the peak rate of SGD with momentum .9: .1 with batch normalisation, as published for CIFAR-10; .01 without."""
    normalised = any(isinstance(layer, keras.layers.BatchNormalization) for layer in network.layers)
    return 0.1 if normalised else 0.01


def rate_schedule(
    name: str, rate: float, steps: int, warmup: float | None = None
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the schedule of the learning rate.

    Args:
      name: one of `catalogue.RATE_SCHEDULES`. "cosine" falls to 0 along a half wave (Loshchilov and Hutter 2017), "cyclic" rises
        linearly from 0 and falls linearly back to 0 (Wong et al. 2020), "piecewise" divides by ten at a half and at three
        quarters, "constant" stays.
      rate: the peak.
      steps: of the training.
      warmup: fraction of the steps in which "cosine" and "cyclic" rise; None is 0 for "cosine" and .5 for "cyclic".
    """
    if name == "cosine":
        warmup_steps = round((warmup or 0.0) * steps)
        if not warmup_steps:
            return keras.optimizers.schedules.CosineDecay(rate, steps)
        return keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - warmup_steps, 1), warmup_target=rate, warmup_steps=warmup_steps
        )
    if name == "cyclic":
        return Triangular(rate, round((0.5 if warmup is None else warmup) * steps), steps)
    if name == "piecewise":
        # Keras keeps a value up to and including its boundary.
        boundaries = [math.ceil(fraction * steps) - 1 for fraction in _DROPS]
        return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, [rate, rate / 10, rate / 100])
    return float(rate)


class Triangular(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to the peak, and falls linearly to 0 at the end.

    Args:
      peak: the highest rate.
      rise: steps until the peak.
      steps: of the training.
    """

    def __init__(self, peak: float, rise: int, steps: int):
        super().__init__()
        self.peak, self.rise, self.steps = peak, rise, steps

    def __call__(self, step):
        """Returns the rate of a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        up = step / max(self.rise, 1)
        down = (self.steps - step) / max(self.steps - self.rise, 1)
        return self.peak * tf.clip_by_value(tf.where(step < self.rise, up, down), 0.0, 1.0)

    def get_config(self):
        """Returns the arguments."""
        return {"peak": self.peak, "rise": self.rise, "steps": self.steps}
