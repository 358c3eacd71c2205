"""Compiled step of the gradient attacks, with its options."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import LOSSES, margin
from tfinv.classifier.gradients import input_gradient

# A margin below this share of the largest logit may be due to rounding, so the attack goes on. In float32, rounding differs
# between batch sizes; in half precision it is that of bfloat16, and an example that stops too soon loses the rest of its steps.
ROUNDING, HALF_ROUNDING = 1e-5, 2.0**-8


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """Options that determine the graph of a step.

    Attributes:
      norm: of the budget.
      loss: key of `LOSSES`.
      targeted: minimise the loss at the goal instead of maximising it.
      momentum: accumulate normalised gradients (Dong et al. 2018, equations 6 and 7).
      diverse: compute the gradient at the shrunk and padded image (Xie et al. 2019, section 3.3).
      kernel: width of the Gaussian that smooths the gradient (Dong et al. 2019, equation 8); 0 for no smoothing.
    """

    norm: str
    loss: str
    targeted: bool
    momentum: bool = False
    diverse: bool = False
    kernel: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """Types of the arguments of the step, as `compiled` takes them."""
        types = ["images", "images", "images", "labels", "flags", "scalar", "scalar", "flag"]
        return (*types, *["images", "scalar"] * self.momentum, *["scalar"] * 3 * self.diverse)


def solved(logits: tf.Tensor, goals: tf.Tensor, targeted: bool, exact: bool = True) -> tf.Tensor:
    """Returns whether the margin exceeds rounding, (batch,) bool.

    Args:
      logits: (batch, classes).
      goals: (batch,) labels to leave, or targets to reach.
      targeted: whether the goals are targets.
      exact: whether the logits were computed in float32.
    """
    margins = (-1.0 if targeted else 1.0) * margin(logits, goals)
    return margins > (ROUNDING if exact else HALF_ROUNDING) * tf.reduce_max(tf.abs(logits), axis=1)


def make_step(options: StepOptions) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step(current, lower, upper, goal, may_stop, eps, size, first, *optional) -> dictionary.

    Arguments of the step:

    - current: images, (batch, H, W, C).
    - lower, upper: limits of the pixels in L-inf, see `limits`; otherwise both are the original images.
    - goal: labels to leave, or targets to reach.
    - may_stop: flags of the examples that stay where they are once they are solved.
    - eps, size: radius of the budget, and length of the step.
    - first: whether this is the first step.
    - optional: with momentum, the velocity and its decay; with diversity, the share that the image is shrunk to, and the
      shares of the padding above and left of it.

    Entries of its result: `current`, the images after the step; `solved`, the examples that stopped where they were; `zero`,
    those whose gradient in the first step is exactly zero; and, with momentum, `velocity`.
    """
    sign, loss = -1.0 if options.targeted else 1.0, LOSSES[options.loss]

    def make(classifier):
        low, high = classifier.bounds

        def step(current, lower, upper, goal, may_stop, eps, size, first, *optional):
            velocity, decay = optional[:2] if options.momentum else (None, None)

            def value(current):
                inputs = _shrink(current, low, *optional[-3:]) if options.diverse else current
                logits = classifier.gradient_logits(inputs)
                return sign * tf.reduce_sum(loss(logits, goal)), logits

            (_, logits), gradient = input_gradient(value, current)
            if options.kernel:
                gradient = _smooth(gradient, options.kernel)
            result = {}
            if options.momentum:
                gradient = threat.finite(gradient)  # NaN would stay in the velocity
                gradient = decay * velocity + threat.per_example(_inverse_mean_size(gradient), gradient) * gradient
                result["velocity"] = gradient
            if options.norm == "l1":  # spend none of the budget on pixels that the bounds stop
                stuck = ((current >= high) & (gradient > 0)) | ((current <= low) & (gradient < 0))
                gradient = tf.where(stuck, 0.0, gradient)
            direction = threat.steepest(gradient, options.norm)
            stop = may_stop & solved(logits, goal, options.targeted, classifier.exact_gradients)
            # In L-inf, a step of length zero leaves a point of the budget exactly where it is.
            moved = current + threat.per_example(tf.where(stop, 0.0, size), current) * direction
            if options.norm == "linf":
                moved = tf.maximum(tf.minimum(moved, upper), lower)
            else:
                moved = tf.clip_by_value(lower + threat.project(moved - lower, eps, options.norm), low, high)
                moved = tf.where(threat.per_example(stop, current), current, moved)
            zero = tf.cond(first, lambda: ~tf.reduce_any(direction != 0, axis=[1, 2, 3]), lambda: tf.zeros_like(stop))
            return result | {"current": moved, "solved": stop, "zero": zero}

        return step

    return make


def limits(image: tf.Tensor, eps: float, bounds: tuple[float, float], norm: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `lower` and `upper` of a step; they are computed once for many steps."""
    if norm != "linf":
        return image, image
    return tf.maximum(image - eps, bounds[0]), tf.minimum(image + eps, bounds[1])


def _inverse_mean_size(gradient):
    """Returns 1 / mean |g|, (batch,). With the sum, as in the paper, the result may be too small for float32."""
    return tf.math.divide_no_nan(1.0, tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3]))


def _shrink(images, low, share, top, left):
    """Returns the images resized to a share of their size and padded with the lowest value, the same way for all of a batch."""
    height, width = images.shape[1], images.shape[2]
    h = tf.cast(tf.round(share * height), tf.int32)
    w = tf.cast(tf.round(share * width), tf.int32)
    small = tf.image.resize(images, [h, w]) - low
    above = tf.cast(top * tf.cast(height - h + 1, tf.float32), tf.int32)
    before = tf.cast(left * tf.cast(width - w + 1, tf.float32), tf.int32)
    padded = tf.pad(small, [[0, 0], [above, height - h - above], [before, width - w - before], [0, 0]])
    return tf.ensure_shape(padded, images.shape) + low


def _smooth(gradient, width):
    positions = np.linspace(-3, 3, width)  # three standard deviations, as in the paper
    bell = np.exp(-0.5 * positions**2)
    kernel = np.outer(bell, bell) / np.outer(bell, bell).sum()
    channels = gradient.shape[-1]
    filters = np.repeat(kernel[:, :, None, None], channels, axis=2).astype(np.float32)
    return tf.nn.depthwise_conv2d(gradient, filters, [1, 1, 1, 1], "SAME")
