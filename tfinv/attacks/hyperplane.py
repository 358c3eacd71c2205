"""Projection of an image onto a hyperplane within the bounds of its pixels.

The signs of a move are those that bring the linear function towards zero, so only its lengths are unknown. Let room_i be the
distance of pixel i to its bound in that direction. Then the move of pixel i is min(rate_i t, room_i) for some t, with equal
rates for L-inf and rates proportional to |normal_i| for L2. The change of the linear function is concave and piecewise linear in
t. For L1, the pixels with the largest |normal_i| move to their bounds one after the other.
"""

import tensorflow as tf

from tfinv import threat

# In place of infinity, whose product with zero would be NaN.
_FAR = 1e30


def project(points: tf.Tensor, normal: tf.Tensor, value: tf.Tensor, low: float, high: float, norm: str) -> tf.Tensor:
    """Returns the smallest move m with value + normal m = 0 and points + m within the bounds (Croce and Hein 2020, FAB).

    Args:
      points: (batch, ...), within the bounds.
      normal: (batch, ...), of the hyperplane; NaN counts as zero.
      value: (batch,) of the linear function at the points.
      low: smallest value of a pixel.
      high: largest value of a pixel.
      norm: "linf", "l2" or "l1".

    Returns:
      (batch, ...): the move. Where the hyperplane does not meet the box, the move to the corner nearest to it. Zero where the
      normal is zero or the value is NaN.
    """
    shape, batch = tf.shape(points), tf.shape(points)[0]
    points, normal = (tf.reshape(x, [batch, -1]) for x in (points, normal))
    normal = threat.finite(normal)
    # Scaled by the largest entry first: squares of entries below 1e-19 would underflow to zero.
    largest = tf.reduce_max(tf.abs(normal), axis=1)
    normal = tf.math.divide_no_nan(normal, largest[:, None])
    missing = tf.minimum(tf.abs(tf.math.divide_no_nan(value, largest)), _FAR)
    missing = tf.where(tf.math.is_nan(missing), 0.0, missing)
    signs = -tf.sign(value)[:, None] * tf.sign(normal)
    room = tf.where(signs > 0, high - points, tf.where(signs < 0, points - low, 0.0))
    lengths = _LENGTHS[norm](tf.abs(normal), tf.maximum(room, 0.0), missing)
    return tf.reshape(tf.where(missing[:, None] > 0, signs * lengths, 0.0), shape)


def _linf(slope, room, missing):
    return tf.minimum(_level(slope, room, slope * room, missing)[:, None], room)


def _l2(slope, room, missing):
    full = tf.minimum(tf.math.divide_no_nan(room, slope), _FAR)
    return tf.minimum(_level(slope * slope, full, slope * room, missing)[:, None] * slope, room)


def _level(gain, full, most, missing):
    """Returns the smallest t, (batch,), with sum_i min(gain_i t, most_i) = `missing`; larger than every full_i if there is none.

    Entry i reaches most_i at t = full_i. Newton's method from t = 0: the sum is concave, so the method never overshoots, the set
    of full entries only grows, and it has converged when that set stays the same.
    """

    def condition(t, open_, changed):
        return tf.reduce_any(changed)

    def newton(t, open_, changed):
        slope = tf.reduce_sum(tf.where(open_, gain, 0.0), axis=1)
        done = tf.reduce_sum(tf.where(open_, 0.0, most), axis=1)
        next_t = tf.where(slope > 0, tf.minimum((missing - done) / slope, _FAR), _FAR)
        t = tf.maximum(t, next_t)
        still_open = full > t[:, None]
        return t, still_open, tf.reduce_any(still_open != open_, axis=1)

    t = tf.zeros_like(missing)
    return tf.while_loop(condition, newton, (t, full > 0, missing >= 0))[0]


def _l1(slope, room, missing):
    """Returns the full room of the steepest pixels, and an equal share of their room for the pixels at the threshold."""
    steepest, order = tf.math.top_k(slope, tf.shape(slope)[1])
    gained = tf.cumsum(steepest * tf.gather(room, order, batch_dims=1), axis=1)
    last = tf.reduce_sum(tf.cast(gained < missing[:, None], tf.int32), axis=1)
    last = tf.minimum(last, tf.shape(slope)[1] - 1)
    threshold = tf.gather(steepest, last, batch_dims=1)[:, None]
    full = slope > threshold
    threshold_room = tf.where((slope == threshold) & (slope > 0), room, 0.0)
    left = missing - tf.reduce_sum(tf.where(full, slope * room, 0.0), axis=1)
    share = tf.math.divide_no_nan(left, threshold[:, 0] * tf.reduce_sum(threshold_room, axis=1))
    return tf.where(full, room, tf.clip_by_value(share, 0.0, 1.0)[:, None] * threshold_room)


_LENGTHS = {"linf": _linf, "l2": _l2, "l1": _l1}
