"""What an attack raises: functions of logits (batch, classes) and labels (batch,) to (batch,).

An untargeted attack raises the loss at the true label; a targeted one lowers it at the target.
"""

from collections.abc import Callable

import tensorflow as tf


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """max_{j != y} z_j - z_y, positive where the example is misclassified (Carlini and Wagner 2017, f6).

    Its gradient does not shrink with the confidence, so the scale of the logits does not matter.
    """
    hot = tf.one_hot(labels, tf.shape(logits)[1], dtype=tf.bool, on_value=True, off_value=False)
    own = tf.reduce_sum(tf.where(hot, logits, 0.0), axis=1)
    other = tf.reduce_max(tf.where(hot, logits.dtype.min, logits), axis=1)
    return other - own


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y, whose gradient vanishes where float32 softmax saturates (a margin of about 17)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "margin": margin,
    "cross_entropy": cross_entropy,
}
