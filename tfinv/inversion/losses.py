"""Losses of an inversion: functions of logits (batch, classes) and target labels (batch,) to (batch,), to minimise."""

from collections.abc import Callable

import tensorflow as tf

from tfinv.attacks import losses

# The Poincare ball is open, so the paper puts the one-hot target at this share of the radius.
_INSIDE = 0.9999


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y; saturates once the model is confident."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def logit(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-z_y; never saturates, and does not make the other classes unlikely."""
    return -tf.gather(logits, labels, batch_dims=1)


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """max_{j != y} z_j - z_y, the max-margin loss of PLG-MI (Yuan et al. 2023); never saturates."""
    return losses.margin(logits, labels)


def poincare(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Distance of z / |z|_1 and the one-hot label in the Poincare ball (Struppek et al. 2022, "Plug and play attacks").

    d(u, v) = arccosh(1 + 2 |u - v|^2 / ((1 - |u|^2) (1 - |v|^2))). Scale-free.
    """
    u = tf.math.divide_no_nan(logits, tf.reduce_sum(tf.abs(logits), axis=1, keepdims=True))
    v = _INSIDE * tf.one_hot(labels, tf.shape(logits)[1])
    outside = (1.0 - tf.reduce_sum(u * u, axis=1)) * (1.0 - _INSIDE**2)
    distance = tf.reduce_sum(tf.square(u - v), axis=1) / tf.maximum(outside, 1e-7)
    return tf.math.acosh(1.0 + 2.0 * distance + 1e-7)


def miface(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1 - softmax(z)_y (Fredrikson et al. 2015, Algorithm 1, without the auxiliary term)."""
    return 1.0 - tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "cross_entropy": cross_entropy,
    "logit": logit,
    "margin": margin,
    "poincare": poincare,
    "miface": miface,
}
