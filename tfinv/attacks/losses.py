"""Losses of attacks: functions of logits (batch, classes) and labels (batch,) to (batch,).

An untargeted attack maximises the loss at the true label; a targeted one minimises it at the target. The gradient of a
scale-free loss keeps its direction when all logits are multiplied by a number, so large logits can't mask it.
"""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_SMOOTHING = 0.1
_SOFTNESS = 16.0
_NEAREST = 9  # other classes that the soft margin takes
_TINY = 1e-30


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """max_{j != y} z_j - z_y, positive where the example is misclassified (Carlini and Wagner 2017, f6). Scale-free."""
    label_logits, other_logits = _split(logits, labels)
    return tf.reduce_max(other_logits, axis=1) - label_logits


def soft_margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """s log sum_{j != y} exp(z_j / s) - z_y with s = (max z - mean z) / 16, which counts as constant in the gradient.

    Of more than ten classes it takes the label and the nine likeliest others. Scale-free. It is `margin` with a soft maximum, so
    that all classes close to the likeliest one count. Cross-entropy does the same, but at a fixed scale of the logits. Over a
    thousand classes s would be larger than the distances between the likeliest ones, and the gradient an average over hundreds.
    Default of the gradient attacks; docs/results/attacks.md and docs/results/many-classes.md compare the losses. With two classes
    it equals `margin`.
    """
    label_logits, other_logits = _split(logits, labels)
    if logits.shape[1] is None or logits.shape[1] > _NEAREST + 1:
        other_logits = tf.math.top_k(other_logits, tf.minimum(_NEAREST, tf.shape(logits)[1] - 1)).values
        logits = tf.concat([label_logits[:, tf.newaxis], other_logits], axis=1)
    deviation = tf.reduce_max(logits, axis=1) - tf.reduce_mean(logits, axis=1)
    s = tf.stop_gradient(tf.maximum(deviation / _SOFTNESS, _TINY))[:, tf.newaxis]
    highest = tf.stop_gradient(tf.reduce_max(other_logits, axis=1, keepdims=True))
    total = tf.reduce_sum(tf.exp((other_logits - highest) / s), axis=1, keepdims=True)
    return (highest + s * tf.math.log(total))[:, 0] - label_logits


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y. Its gradient vanishes where float32 softmax saturates (a margin of about 17)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def log_odds(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """log sum_{j != y} exp z_j - z_y = log((1 - p_y) / p_y): cross-entropy that does not saturate.

    It increases with cross-entropy, -log p_y, and its gradient has the same direction. So an attack that uses only signs,
    normalised gradients and comparisons of values behaves as with cross-entropy, as long as that has a gradient.
    """
    label_logits, other_logits = _split(logits, labels)
    return tf.reduce_logsumexp(other_logits, axis=1) - label_logits


def dlr(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Difference of logits ratio, -(z_y - max_{j != y} z_j) / (z_(1) - z_(3)) (Croce and Hein 2020, equation 6). Scale-free.

    With two classes there is no third-largest logit, so it equals `margin`.
    """
    if logits.shape[1] == 2:
        return margin(logits, labels)
    top = tf.math.top_k(logits, 3).values
    return tf.math.divide_no_nan(margin(logits, labels), top[:, 0] - top[:, 2])


def targeted_dlr(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2) (Croce and Hein 2020, equation 7). Scale-free.

    The denominator is z_(1) - z_(3) with three classes and 1 with two.
    """
    difference = _pick(logits, targets) - _pick(logits, labels)
    classes = logits.shape[1]
    if classes == 2:
        return difference
    top = tf.math.top_k(logits, min(4, classes)).values
    return tf.math.divide_no_nan(difference, top[:, 0] - tf.reduce_mean(top[:, 2:], axis=1))


def logit(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-z_y (Zhao et al. 2021, equation 3, for targeted transfer). Scale-free."""
    return -_pick(logits, labels)


def probability(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1 - softmax(z)_y, which saturates at both ends. For comparison with attacks on probabilities."""
    return 1.0 - _pick(tf.nn.softmax(logits), labels)


def label_smoothing(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy with label smoothing of .1 (Szegedy et al. 2016, section 7), which saturates less."""
    classes = tf.cast(tf.shape(logits)[1], tf.float32)
    hot = tf.one_hot(labels, tf.shape(logits)[1])
    return tf.nn.softmax_cross_entropy_with_logits(hot * (1.0 - _SMOOTHING) + _SMOOTHING / classes, logits)


LOSSES: dict[str, Loss] = {
    "soft_margin": soft_margin,
    "margin": margin,
    "cross_entropy": cross_entropy,
    "log_odds": log_odds,
    "dlr": dlr,
    "logit": logit,
    "probability": probability,
    "label_smoothing": label_smoothing,
}


def _split(logits, labels):
    """Returns z_y, (batch,), and the logits with z_y replaced by the lowest number, (batch, classes)."""
    hot = tf.one_hot(labels, tf.shape(logits)[1], dtype=tf.bool, on_value=True, off_value=False)
    return tf.reduce_sum(tf.where(hot, logits, 0.0), axis=1), tf.where(hot, logits.dtype.min, logits)


def _pick(logits, classes):
    return tf.reduce_sum(tf.where(tf.one_hot(classes, tf.shape(logits)[1]) > 0, logits, 0.0), axis=1)
