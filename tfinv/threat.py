"""The threat model: pixel bounds, a perturbation budget, and the projections onto both. Independent of any model.

All functions take batches (batch, ...). A norm is computed for each example, over all other axes.
"""

import dataclasses
import math
import numbers

import numpy as np
import tensorflow as tf

from tfinv.errors import expected

NORMS = ("linf", "l2", "l1")

# The share of pixels that a step in L1 moves: the single steepest one would need a step a pixel.
_SPARSITY = 0.01


@dataclasses.dataclass(frozen=True)
class Budget:
    """The set of allowed perturbations.

    Attributes:
      eps: radius, in units of the classifier's bounds; infinity allows every image.
      norm: "linf", "l2" or "l1".

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
    """Returns the norm of each example, (batch,)."""
    flat = tf.reshape(x, [tf.shape(x)[0], -1])
    if norm == "linf":
        return tf.reduce_max(tf.abs(flat), axis=1)
    return tf.reduce_sum(tf.abs(flat), axis=1) if norm == "l1" else tf.norm(flat, axis=1)


def finite(gradient: tf.Tensor) -> tf.Tensor:
    """Replaces NaN by zero and infinities, which half precision produces, by the largest finite number."""
    gradient = _without_nan(gradient)
    return tf.clip_by_value(gradient, gradient.dtype.min, gradient.dtype.max)


def _without_nan(gradient):
    return tf.where(tf.math.is_nan(gradient), tf.zeros((), gradient.dtype), gradient)


def steepest(gradient: tf.Tensor, norm: str) -> tf.Tensor:
    """Returns the steepest ascent direction of norm 1.

    L-inf: sign(g). L2: g / |g|. L1: the signs of the largest hundredth of the entries, divided by their number (Tramer and
    Boneh 2019, section 5: with the single largest entry, every pixel would need a step of its own). The direction is 0 where the
    gradient is exactly zero. Entries that are not finite are replaced as in `finite`.
    """
    if norm == "linf":  # the sign of an infinite entry is finite
        return tf.sign(_without_nan(gradient))
    gradient = finite(gradient)
    if norm == "l1":
        size = tf.abs(tf.reshape(gradient, [tf.shape(gradient)[0], -1]))
        count = tf.maximum(1, tf.cast(_SPARSITY * tf.cast(tf.shape(size)[1], tf.float32), tf.int32))
        threshold = per_example(tf.math.top_k(size, count, sorted=True).values[:, -1], gradient)
        signs = tf.where(tf.abs(gradient) >= threshold, tf.sign(gradient), 0.0)
        return tf.math.divide_no_nan(signs, per_example(norms(signs, "l1"), signs))
    # Divided by the largest entry first: squares of entries below 1e-19 would underflow to zero.
    largest = per_example(norms(gradient, "linf"), gradient)
    scaled = tf.math.divide_no_nan(gradient, largest)
    return tf.math.divide_no_nan(scaled, per_example(norms(scaled, "l2"), scaled))


def project(perturbation: tf.Tensor, eps: tf.Tensor, norm: str) -> tf.Tensor:
    """Returns the nearest perturbation within eps: clipping for L-inf, shrinking for L2, soft thresholding for L1.

    L1 follows Duchi et al. 2008, figure 1.
    """
    if norm == "linf":
        return tf.clip_by_value(perturbation, -eps, eps)
    if norm == "l1":
        size = tf.abs(tf.reshape(perturbation, [tf.shape(perturbation)[0], -1]))
        falling = tf.sort(size, axis=1, direction="DESCENDING")
        excess = (tf.cumsum(falling, axis=1) - eps) / tf.range(1.0, tf.cast(tf.shape(size)[1], tf.float32) + 1.0)
        # The threshold is the largest of these, and none is needed inside the ball.
        threshold = per_example(tf.maximum(tf.reduce_max(excess, axis=1), 0.0), perturbation)
        return tf.sign(perturbation) * tf.maximum(tf.abs(perturbation) - threshold, 0.0)
    size = per_example(norms(perturbation, "l2"), perturbation)
    return perturbation * tf.minimum(1.0, tf.math.divide_no_nan(eps, size) + tf.cast(size == 0, tf.float32))


def random_start(uniform: tf.Tensor, normal: tf.Tensor, radius: tf.Tensor, norm: str) -> tf.Tensor:
    """Returns a uniform draw from the ball of the given radius.

    Args:
      uniform: (batch, ...) draws from [0, 1).
      normal: (batch, ...) draws from the standard normal.
      radius: scalar, of the ball.
      norm: "linf", "l2" or "l1".

    Returns:
      (batch, ...). L2: direction z / |z|; L1: exponential draws with random signs; length radius * u^(1/d).
    """
    if norm == "linf":
        return radius * (2.0 * uniform - 1.0)
    flat = tf.reshape(uniform, [tf.shape(uniform)[0], -1])
    quantile = flat[:, 0]
    direction = steepest(normal, "l2")
    if norm == "l1":
        laplace = -tf.math.log1p(-uniform) * tf.sign(normal)
        direction = tf.math.divide_no_nan(laplace, per_example(norms(laplace, "l1"), laplace))
        # The magnitude of a normal draw is independent of its sign, and its distribution function gives a uniform draw.
        quantile = tf.math.erf(tf.abs(tf.reshape(normal, tf.shape(flat))[:, 0]) / math.sqrt(2.0))
    length = radius * tf.pow(quantile, 1.0 / tf.cast(tf.shape(flat)[1], tf.float32))
    return per_example(length, normal) * direction


def distances(adversarial: np.ndarray, images: np.ndarray, norm: str) -> np.ndarray:
    """Returns the distance of each adversarial example to its original, (n,), in float64, so that L-inf is exact."""
    difference = adversarial.astype(np.float64) - images.astype(np.float64)
    flat = np.abs(difference).reshape(len(difference), math.prod(difference.shape[1:]))
    if norm == "linf":
        return flat.max(axis=1, initial=0.0)
    return flat.sum(axis=1) if norm == "l1" else np.sqrt(np.square(flat).sum(axis=1))


def enforce(adversarial: np.ndarray, images: np.ndarray, budget: Budget, bounds: tuple[float, float]) -> np.ndarray:
    """Corrects float32 images by a few units in the last place, so that rounding does not break the budget.

    Args:
      adversarial: (n, ...) float32, within the budget up to rounding.
      images: (n, ...) float32, the originals, within the bounds.
      budget: satisfied exactly in float64 afterwards.
      bounds: satisfied exactly.

    Returns:
      (n, ...) float32.
    """
    clipped = np.clip(adversarial, np.float32(bounds[0]), np.float32(bounds[1]))
    result = clipped.copy()
    if math.isinf(budget.eps):
        return result
    originals = images.astype(np.float64)
    if budget.norm == "linf":
        # Rounding an interval's ends to float32 may leave it: step back inside once.
        low, high = originals - budget.eps, originals + budget.eps
        low32, high32 = low.astype(np.float32), high.astype(np.float32)
        low32 = np.where(low32 < low, np.nextafter(low32, np.float32(np.inf)), low32)
        high32 = np.where(high32 > high, np.nextafter(high32, np.float32(-np.inf)), high32)
        return np.clip(result, low32, high32)
    distance = distances(result, images, budget.norm)
    outside = distance > budget.eps
    for slack in (1e-6, 1e-5, 1e-4, 1e-3):  # the rounding of many pixels adds up
        if not outside.any():
            return result
        factor = (budget.eps / distance[outside] * (1 - slack)).reshape(-1, *[1] * (images.ndim - 1))
        perturbation = clipped[outside].astype(np.float64) - originals[outside]
        result[outside] = (originals[outside] + factor * perturbation).astype(np.float32)
        outside = distances(result, images, budget.norm) > budget.eps
    # At radii near the float32 spacing of the pixels even the shrunk image rounds outside: only the original is certain.
    result[outside] = images[outside]
    return result


def per_example(values: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Reshapes (batch,) values so that they broadcast over `like`, (batch, ...)."""
    return tf.reshape(values, [-1] + [1] * (len(like.shape) - 1))
