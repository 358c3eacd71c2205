"""Costs of an inversion: functions of logits (batch, classes) and target labels (batch,) to (batch,), to be lowered."""

from collections.abc import Callable

import tensorflow as tf


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y; levels off once the model is sure."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def logit(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-z_y; never levels off, and does not ask the other classes to be unlikely."""
    return -tf.gather(logits, labels, batch_dims=1)


def miface(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1 - softmax(z)_y (Fredrikson et al. 2015, Algorithm 1, without the auxiliary term)."""
    return 1.0 - tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "cross_entropy": cross_entropy,
    "logit": logit,
    "miface": miface,
}
