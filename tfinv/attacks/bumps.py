"""The bumps of the L2 Square attack (Andriushchenko et al. 2020)."""

import math

import numpy as np
import tensorflow as tf

from tfinv import random

_ACROSS = 5  # squares of the first grid along the shorter side


def bump(i: tf.Tensor, j: tf.Tensor, side: tf.Tensor, largest: int) -> tf.Tensor:
    """Two bumps of opposite sign, one in the upper and one in the lower half of a square; each half has the same norm.

    A bump is the sum over k of 1 / (k + 1)^2 for all rings k at least as far from its centre as the pixel.

    Args:
      i: rows counted from the top of the square, (b, H, 1) int32, or, with j, the other way round: (b, 1, W).
      j: columns counted from its left.
      side: of the square, at least 1; a scalar.
      largest: side that the table of sums must hold.

    Returns:
      (b, H, W) float32 of norm 1, zero outside the square.
    """
    rings = tf.constant(np.concatenate([[0], np.cumsum(1 / np.arange(1.0, largest + 2) ** 2)]), tf.float32)
    half = side // 2
    upper = i < half
    tall = tf.where(upper, half, side - half)
    down = tf.abs(tf.where(upper, i, i - half) - tall // 2)
    distance = tf.maximum(down, tf.abs(j - side // 2))
    inside = (i >= 0) & (i < side) & (j >= 0) & (j < side)
    height = rings[half + 1] - tf.gather(rings, tf.minimum(distance, half + 1))
    total = tf.zeros_like(height)
    for part, sign in ((inside & upper, 1.0), (inside & ~upper, -1.0)):
        values = tf.where(part, height, 0.0)
        total += sign * tf.math.divide_no_nan(values, _norm(values))
    return tf.math.divide_no_nan(total, _norm(total))


def grid_of_bumps(seed: int, places: np.ndarray, height: int, width: int, channels: int) -> tf.Tensor:
    """The start of the search: bumps side by side, upright or lying, with a random sign a channel.

    Args:
      seed: of the draws, stream 0.
      places: (b,) rows in the data set.
      height: of the images, with width and channels.
      width: of the images.
      channels: of the images.

    Returns:
      (b, H, W, C) float32 of norm 1 an example.
    """
    side = max(1, min(height, width) // _ACROSS)
    down, across = height // side, width // side
    draws = random.uniform(seed, 0, places, (down, across, 1 + channels))
    i, j = tf.range(side)[None, :, None], tf.range(side)[None, None, :]
    upright, lying = bump(i, j, side, side), bump(j, i, side, side)
    tiles = tf.where((draws[..., 0] < 0.5)[..., None, None], upright, lying)
    tiles = tiles[..., None] * tf.where(draws[..., 1:] < 0.5, -1.0, 1.0)[..., None, None, :]
    whole = tf.reshape(tf.transpose(tiles, [0, 1, 3, 2, 4, 5]), [len(places), down * side, across * side, channels])
    above, before = (height - down * side) // 2, (width - across * side) // 2
    rest = [[0, 0], [above, height - down * side - above], [before, width - across * side - before], [0, 0]]
    # Every tile has norm 1 in each channel.
    return tf.pad(whole, rest) / math.sqrt(down * across * channels)


def _norm(values):
    return tf.sqrt(tf.reduce_sum(tf.square(values), axis=[1, 2], keepdims=True))
