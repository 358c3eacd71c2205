"""What an attacker may do: bounds of an image, a budget around it, and the projections onto both. No model here.

Everything takes batches (batch, ...), and a norm is that of one example over all its other axes.
"""

import dataclasses
import math
import numbers

import numpy as np
import tensorflow as tf

from tfinv.errors import expected

NORMS = ("linf", "l2")


@dataclasses.dataclass(frozen=True)
class Budget:
    """The set of allowed perturbations.

    Attributes:
      eps: radius, in units of the classifier's bounds; infinity allows every image.
      norm: "linf" or "l2".

    Raises:
      UserError: eps is negative or not a number, or the norm is unknown.
    """

    eps: float
    norm: str = "linf"

    def __post_init__(self):
        if self.norm not in NORMS:
            raise expected(f"a norm among {', '.join(NORMS)}", repr(self.norm), "Change the argument `norm`.")
        if not (isinstance(self.eps, numbers.Real) and self.eps >= 0):
            raise expected("eps of at least 0", self.eps, "Change --eps.")


def norms(x: tf.Tensor, norm: str) -> tf.Tensor:
    """The norm of each example, (batch,)."""
    flat = tf.reshape(x, [tf.shape(x)[0], -1])
    return tf.reduce_max(tf.abs(flat), axis=1) if norm == "linf" else tf.norm(flat, axis=1)


def steepest(gradient: tf.Tensor, norm: str) -> tf.Tensor:
    """The direction of norm 1 along which a linear function with this gradient rises most.

    L-inf: sign(g). L2: g / |g|. Where the gradient is exactly zero there is none, and the direction is 0. Entries that are not
    a number count as zero, and infinite ones, which half precision makes, as the largest number.
    """
    gradient = tf.where(tf.math.is_nan(gradient), tf.zeros_like(gradient), gradient)
    gradient = tf.clip_by_value(gradient, gradient.dtype.min, gradient.dtype.max)
    if norm == "linf":
        return tf.sign(gradient)
    # Scaled by the largest entry first: squares of entries below 1e-19 would underflow to zero.
    largest = _per_example(norms(gradient, "linf"), gradient)
    scaled = tf.math.divide_no_nan(gradient, largest)
    return tf.math.divide_no_nan(scaled, _per_example(norms(scaled, "l2"), scaled))


def project(perturbation: tf.Tensor, eps: tf.Tensor, norm: str) -> tf.Tensor:
    """The nearest perturbation within eps: clipping for L-inf, shrinking for L2."""
    if norm == "linf":
        return tf.clip_by_value(perturbation, -eps, eps)
    size = _per_example(norms(perturbation, "l2"), perturbation)
    return perturbation * tf.minimum(1.0, tf.math.divide_no_nan(eps, size) + tf.cast(size == 0, tf.float32))


def random_start(uniform: tf.Tensor, normal: tf.Tensor, radius: tf.Tensor, norm: str) -> tf.Tensor:
    """A uniform draw from the ball of radius eps.

    Args:
      uniform: (batch, ...) draws from [0, 1).
      normal: (batch, ...) draws from the standard normal.
      radius: scalar.
      norm: "linf" or "l2".

    Returns:
      (batch, ...). L2: direction z / |z| and length radius * u^(1/d).
    """
    if norm == "linf":
        return radius * (2.0 * uniform - 1.0)
    flat = tf.reshape(uniform, [tf.shape(uniform)[0], -1])
    length = radius * tf.pow(flat[:, 0], 1.0 / tf.cast(tf.shape(flat)[1], tf.float32))
    return _per_example(length, normal) * steepest(normal, "l2")


def distances(adversarial: np.ndarray, images: np.ndarray, norm: str) -> np.ndarray:
    """Realised distance of each example, (n,) float64: computed in float64, so that it is exact for L-inf."""
    difference = adversarial.astype(np.float64) - images.astype(np.float64)
    flat = np.abs(difference).reshape(len(difference), -1)
    return flat.max(axis=1, initial=0.0) if norm == "linf" else np.sqrt(np.square(flat).sum(axis=1))


def enforce(adversarial: np.ndarray, images: np.ndarray, budget: Budget, bounds: tuple[float, float]) -> np.ndarray:
    """Moves float32 images by the few units in the last place that keep rounding from breaking the budget.

    Args:
      adversarial: (n, ...) float32, within the budget up to rounding.
      images: (n, ...) float32, the originals, within the bounds.
      budget: held exactly in float64 afterwards.
      bounds: held exactly.

    Returns:
      (n, ...) float32.
    """
    result = np.clip(adversarial, np.float32(bounds[0]), np.float32(bounds[1]))
    if math.isinf(budget.eps):
        return result
    wide = images.astype(np.float64)
    if budget.norm == "linf":
        # Rounding an interval's ends to float32 may leave it: step back inside once.
        low, high = wide - budget.eps, wide + budget.eps
        low32, high32 = low.astype(np.float32), high.astype(np.float32)
        low32 = np.where(low32 < low, np.nextafter(low32, np.float32(np.inf)), low32)
        high32 = np.where(high32 > high, np.nextafter(high32, np.float32(-np.inf)), high32)
        return np.clip(result, low32, high32)
    over = distances(result, images, "l2")
    shrink = np.minimum(1.0, budget.eps / np.maximum(over, 1e-300)) * np.where(over > budget.eps, 1 - 1e-6, 1.0)
    factor = shrink.reshape(-1, *[1] * (images.ndim - 1))
    inside = (wide + factor * (result.astype(np.float64) - wide)).astype(np.float32)
    # At radii near the float32 spacing of the pixels even the shrunk image rounds outside: only the original is sure.
    bad = distances(inside, images, "l2") > budget.eps
    inside[bad] = images[bad]
    moved = over > budget.eps
    result[moved] = inside[moved]
    return result


def _per_example(values: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [-1] + [1] * (len(like.shape) - 1))
