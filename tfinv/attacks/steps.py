"""The one step that all attacks along a gradient share, with its options."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import LOSSES, margin

# Success by less than this share of the largest logit may be rounding, so the attack goes on: in float32 that of one batch
# size, in half precision that of bfloat16, where a row that stops too soon loses the rest of its steps.
ROUNDING, HALF_ROUNDING = 1e-5, 2.0**-8


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the graph of a step depends on.

    Attributes:
      norm: of the budget.
      loss: key of `LOSSES`.
      targeted: lower the loss at the goal instead of raising it.
      momentum: accumulate normalised gradients (Dong et al. 2018, equations 6 and 7).
      diverse: the gradient is taken at the image shrunk and padded (Xie et al. 2019, section 3.3).
      kernel: width of the Gaussian that smooths the gradient (Dong et al. 2019, equation 8), or 0 for none.
    """

    norm: str
    loss: str
    targeted: bool
    momentum: bool = False
    diverse: bool = False
    kernel: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of the step, as `compiled` takes them."""
        wanted = ["images", "images", "images", "labels", "flags", "scalar", "scalar", "flag"]
        return (*wanted, *["images", "scalar"] * self.momentum, *["scalar"] * 3 * self.diverse)


def solved(logits: tf.Tensor, goals: tf.Tensor, targeted: bool, exact: bool = True) -> tf.Tensor:
    """(batch,) bool: success by more than rounding; `exact` says whether the logits were computed in float32."""
    ahead = (-1.0 if targeted else 1.0) * margin(logits, goals)
    return ahead > (ROUNDING if exact else HALF_ROUNDING) * tf.reduce_max(tf.abs(logits), axis=1)


def make_step(kind: Kind) -> Callable[[Any], Callable]:
    """Returns what makes, for a classifier, a step (current, one, two, goal, may_stop, eps, size, first, ...) -> dictionary.

    `one` and `two` are the least and the largest images of the budget in L-inf, see `limits`, and otherwise both the image.
    `current` in the result has moved, but for examples that are solved and may stop: those are found where they became so.
    `zero` says where the gradient is exactly zero, if this is the first step. With momentum, the step also takes and gives
    `velocity`, and takes its decay; with diversity, it takes the share that the image is shrunk to, and the shares of the
    padding above and left of it.
    """
    sign, loss = -1.0 if kind.targeted else 1.0, LOSSES[kind.loss]

    def make(classifier):
        low, high = classifier.bounds

        def step(current, one, two, goal, may_stop, eps, size, first, *more):
            velocity, decay = more[:2] if kind.momentum else (None, None)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(current)
                seen = _shrink(current, low, *more[-3:]) if kind.diverse else current
                logits = classifier.gradient_logits(seen)
                value = sign * tf.reduce_sum(loss(logits, goal))
            gradient = tape.gradient(value, current)
            if kind.kernel:
                gradient = _smooth(gradient, kind.kernel)
            new = {}
            if kind.momentum:
                gradient = threat.finite(gradient)  # one that is no number would stay in the velocity
                gradient = decay * velocity + threat.per_example(_inverse_mean_size(gradient), gradient) * gradient
                new["velocity"] = gradient
            if kind.norm == "l1":  # where the bounds leave no room, none of the budget should be spent
                stuck = ((current >= high) & (gradient > 0)) | ((current <= low) & (gradient < 0))
                gradient = tf.where(stuck, 0.0, gradient)
            direction = threat.steepest(gradient, kind.norm)
            stop = may_stop & solved(logits, goal, kind.targeted, classifier.exact_gradients)
            # A step of length zero leaves a point of the budget where it is, exactly in L-inf.
            moved = current + threat.per_example(tf.where(stop, 0.0, size), current) * direction
            if kind.norm == "linf":
                moved = tf.maximum(tf.minimum(moved, two), one)
            else:
                moved = tf.clip_by_value(one + threat.project(moved - one, eps, kind.norm), low, high)
                moved = tf.where(threat.per_example(stop, current), current, moved)
            zero = tf.cond(first, lambda: ~tf.reduce_any(direction != 0, axis=[1, 2, 3]), lambda: tf.zeros_like(stop))
            return new | {"current": moved, "solved": stop, "zero": zero}

        return step

    return make


def limits(image: tf.Tensor, eps: float, bounds: tuple[float, float], norm: str) -> tuple[tf.Tensor, tf.Tensor]:
    """What a step takes as `one` and `two`: computed once for many steps."""
    if norm != "linf":
        return image, image
    return tf.maximum(image - eps, bounds[0]), tf.minimum(image + eps, bounds[1])


def _inverse_mean_size(gradient):
    """1 / mean |g|: the sum of the paper would leave numbers near the least that float32 has."""
    return tf.math.divide_no_nan(1.0, tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3]))


def _shrink(images, low, share, top, left):
    """The images resized to a share of their size, on a ground of the lowest value; one draw for all of a batch."""
    height, width = images.shape[1], images.shape[2]
    h = tf.cast(tf.round(share * height), tf.int32)
    w = tf.cast(tf.round(share * width), tf.int32)
    small = tf.image.resize(images, [h, w]) - low
    above = tf.cast(top * tf.cast(height - h + 1, tf.float32), tf.int32)
    before = tf.cast(left * tf.cast(width - w + 1, tf.float32), tf.int32)
    placed = tf.pad(small, [[0, 0], [above, height - h - above], [before, width - w - before], [0, 0]])
    return tf.ensure_shape(placed, images.shape) + low


def _smooth(gradient, width):
    places = np.linspace(-3, 3, width)  # three standard deviations, as in the paper
    bell = np.exp(-0.5 * places**2)
    kernel = np.outer(bell, bell) / np.outer(bell, bell).sum()
    channels = gradient.shape[-1]
    filters = np.repeat(kernel[:, :, None, None], channels, axis=2).astype(np.float32)
    return tf.nn.depthwise_conv2d(gradient, filters, [1, 1, 1, 1], "SAME")
