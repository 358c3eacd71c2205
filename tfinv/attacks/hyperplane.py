"""The least move of an image onto a hyperplane, within the bounds of its pixels.

A move has the signs that bring the linear function towards zero, so only its lengths are open. Written with the room that each
pixel has in that direction, a growing t moves pixel i by min(rate_i t, room_i): the same length everywhere for L-inf, one that
goes with |normal_i| for L2. What this gains is concave and piecewise linear in t. For L1 the pixels with the largest |normal_i|
are used up one after the other.
"""

import tensorflow as tf

from tfinv import threat

# Stands for infinity, where a product of infinity and zero would not be a number.
_FAR = 1e30


def project(points: tf.Tensor, normal: tf.Tensor, value: tf.Tensor, low: float, high: float, norm: str) -> tf.Tensor:
    """The smallest move m with value + normal m = 0 and points + m in the bounds (the projection of FAB, Croce and Hein 2020).

    Args:
      points: (batch, ...) within the bounds.
      normal: (batch, ...), of the hyperplane; entries that are not a number count as zero.
      value: (batch,) of the linear function at the points.
      low: the least value of a pixel.
      high: the largest.
      norm: "linf", "l2" or "l1".

    Returns:
      (batch, ...): the move. Where the hyperplane does not meet the box, the one to the corner that comes nearest to it; where
      the normal is zero, or the value not a number, none.
    """
    shape, batch = tf.shape(points), tf.shape(points)[0]
    points, normal = (tf.reshape(x, [batch, -1]) for x in (points, normal))
    normal = threat.finite(normal)
    # Scaled by the largest entry first: squares of entries below 1e-19 would underflow to zero.
    largest = tf.reduce_max(tf.abs(normal), axis=1)
    normal = tf.math.divide_no_nan(normal, largest[:, None])
    missing = tf.minimum(tf.abs(tf.math.divide_no_nan(value, largest)), _FAR)
    missing = tf.where(tf.math.is_nan(missing), 0.0, missing)
    way = -tf.sign(value)[:, None] * tf.sign(normal)
    room = tf.where(way > 0, high - points, tf.where(way < 0, points - low, 0.0))
    lengths = _LENGTHS[norm](tf.abs(normal), tf.maximum(room, 0.0), missing)
    return tf.reshape(tf.where(missing[:, None] > 0, way * lengths, 0.0), shape)


def _linf(slope, room, missing):
    return tf.minimum(_level(slope, room, slope * room, missing)[:, None], room)


def _l2(slope, room, missing):
    full = tf.minimum(tf.math.divide_no_nan(room, slope), _FAR)
    return tf.minimum(_level(slope * slope, full, slope * room, missing)[:, None] * slope, room)


def _level(gain, full, most, missing):
    """(batch,) least t with sum_i of gain_i t, but most_i from full_i on, equal to `missing`; beyond every full_i if none.

    Newton's method from t = 0. Since the sum is concave it never overshoots, so the entries that are full only get more, and
    it has arrived when they stay the same.
    """

    def go_on(t, open_, changed):
        return tf.reduce_any(changed)

    def newton(t, open_, changed):
        slope = tf.reduce_sum(tf.where(open_, gain, 0.0), axis=1)
        done = tf.reduce_sum(tf.where(open_, 0.0, most), axis=1)
        wanted = tf.where(slope > 0, tf.minimum((missing - done) / slope, _FAR), _FAR)
        t = tf.maximum(t, wanted)
        still = full > t[:, None]
        return t, still, tf.reduce_any(still != open_, axis=1)

    t = tf.zeros_like(missing)
    return tf.while_loop(go_on, newton, (t, full > 0, missing >= 0))[0]


def _l1(slope, room, missing):
    """Full moves of the steepest pixels, and an equal share of their room for those at the threshold."""
    steepest, order = tf.math.top_k(slope, tf.shape(slope)[1])
    gained = tf.cumsum(steepest * tf.gather(room, order, batch_dims=1), axis=1)
    last = tf.reduce_sum(tf.cast(gained < missing[:, None], tf.int32), axis=1)
    last = tf.minimum(last, tf.shape(slope)[1] - 1)
    threshold = tf.gather(steepest, last, batch_dims=1)[:, None]
    full = slope > threshold
    at = tf.where((slope == threshold) & (slope > 0), room, 0.0)
    left = missing - tf.reduce_sum(tf.where(full, slope * room, 0.0), axis=1)
    share = tf.math.divide_no_nan(left, threshold[:, 0] * tf.reduce_sum(at, axis=1))
    return tf.where(full, room, tf.clip_by_value(share, 0.0, 1.0)[:, None] * at)


_LENGTHS = {"linf": _linf, "l2": _l2, "l1": _l1}
