"""What an attack raises: functions of logits (batch, classes) and labels (batch,) to (batch,).

An untargeted attack raises the loss at the true label; a targeted one lowers it at the target. Those marked scale-free have a
gradient whose direction and order do not change when the logits are multiplied, so none can be masked by their size.
"""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_SMOOTHING = 0.1
_SOFTNESS = 16.0
_TINY = 1e-30


def margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """max_{j != y} z_j - z_y, positive where the example is misclassified (Carlini and Wagner 2017, f6). Scale-free."""
    own, others = _own_and_others(logits, labels)
    return tf.reduce_max(others, axis=1) - own


def soft_margin(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """s log sum_{j != y} exp(z_j / s) - z_y with s = (max z - mean z) / 16, which is not differentiated. Scale-free.

    `margin` with a soft maximum, so that the classes close behind the likeliest count too: cross-entropy does that, but only
    at its own scale of the logits. The default of the attacks along a gradient; docs/results/attacks.md compares the losses.
    With two classes it is `margin`.
    """
    own, others = _own_and_others(logits, labels)
    spread = tf.reduce_max(logits, axis=1) - tf.reduce_mean(logits, axis=1)
    s = tf.stop_gradient(tf.maximum(spread / _SOFTNESS, _TINY))[:, tf.newaxis]
    highest = tf.stop_gradient(tf.reduce_max(others, axis=1, keepdims=True))
    return (highest + s * tf.math.log(tf.reduce_sum(tf.exp((others - highest) / s), axis=1, keepdims=True)))[:, 0] - own


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-log softmax(z)_y, whose gradient vanishes where float32 softmax saturates (a margin of about 17)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def log_odds(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """log sum_{j != y} exp z_j - z_y = log((1 - p_y) / p_y): cross-entropy that does not saturate.

    It rises with cross-entropy, -log p_y, and its gradient has the same direction, so an attack that uses signs, normalised
    gradients and comparisons of values does with it what it does with cross-entropy, as long as that has a gradient.
    """
    own, others = _own_and_others(logits, labels)
    return tf.reduce_logsumexp(others, axis=1) - own


def dlr(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Difference of logits ratio, -(z_y - max_{j != y} z_j) / (z_(1) - z_(3)) (Croce and Hein 2020, equation 6). Scale-free.

    With two classes there is no third-largest logit, and the ratio would be constant: it is `margin` there.
    """
    if logits.shape[1] == 2:
        return margin(logits, labels)
    top = tf.math.top_k(logits, 3).values
    return tf.math.divide_no_nan(margin(logits, labels), top[:, 0] - top[:, 2])


def targeted_dlr(logits: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2) (Croce and Hein 2020, equation 7). Scale-free.

    The denominator takes the logits there are: z_(1) - z_(3) with three classes, none with two.
    """
    ahead = _pick(logits, targets) - _pick(logits, labels)
    classes = logits.shape[1]
    if classes == 2:
        return ahead
    top = tf.math.top_k(logits, min(4, classes)).values
    return tf.math.divide_no_nan(ahead, top[:, 0] - tf.reduce_mean(top[:, 2:], axis=1))


def logit(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """-z_y (Zhao et al. 2021, equation 3, who use it for targeted transfer). Scale-free."""
    return -_pick(logits, labels)


def probability(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """1 - softmax(z)_y, which saturates at both ends: for comparison with attacks on probabilities."""
    return 1.0 - _pick(tf.nn.softmax(logits), labels)


def label_smoothing(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy against the label smoothed by .1 (Szegedy et al. 2016, section 7), which saturates less."""
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


def _own_and_others(logits, labels):
    """z_y, and the logits with that one at the least number."""
    hot = tf.one_hot(labels, tf.shape(logits)[1], dtype=tf.bool, on_value=True, off_value=False)
    return tf.reduce_sum(tf.where(hot, logits, 0.0), axis=1), tf.where(hot, logits.dtype.min, logits)


def _pick(logits, classes):
    return tf.reduce_sum(tf.where(tf.one_hot(classes, tf.shape(logits)[1]) > 0, logits, 0.0), axis=1)
