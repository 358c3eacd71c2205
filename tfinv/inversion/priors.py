"""Image priors: functions of [0, 1] images (batch, H, W, C) to (batch,), averaged over pixels, to minimise."""

from collections.abc import Callable

import tensorflow as tf

_ALPHA = 6  # Mahendran and Vedaldi 2015


def total_variation(images: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of neighbouring pixels (anisotropic)."""
    total = tf.reduce_sum(tf.abs(images[:, 1:] - images[:, :-1]), axis=[1, 2, 3])
    total += tf.reduce_sum(tf.abs(images[:, :, 1:] - images[:, :, :-1]), axis=[1, 2, 3])
    return total / tf.cast(tf.size(images[0]), total.dtype)


def l2(images: tf.Tensor) -> tf.Tensor:
    """Mean square."""
    return tf.reduce_mean(tf.square(images), axis=[1, 2, 3])


def alpha_norm(images: tf.Tensor) -> tf.Tensor:
    """Mean of (2 |x - 1/2|)^6, which keeps pixels off both ends (Mahendran and Vedaldi 2015, on images around zero)."""
    return tf.reduce_mean(tf.pow(tf.abs(2.0 * images - 1.0), _ALPHA), axis=[1, 2, 3])


PRIORS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "total_variation": total_variation,
    "l2": l2,
    "alpha_norm": alpha_norm,
}
