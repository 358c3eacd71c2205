"""The bumps of the L2 Square attack (Andriushchenko et al. 2020)."""

import math

import numpy as np
import tensorflow as tf

from tfinv import random

_ACROSS = 5  # squares of the first grid along the shorter side


def bump(i: tf.Tensor, j: tf.Tensor, side: tf.Tensor, largest: int) -> tf.Tensor:
    """Returns two bumps of opposite sign and equal norm, one in the upper and one in the lower half of a square.

    A bump is the sum over k of 1 / (k + 1)^2 for all rings k at least as far from its centre as the pixel.

    Args:
      i: (b, H, 1) int32, rows relative to the top of the square. Swapping i and j transposes the bumps.
      j: (b, 1, W) int32, columns relative to its left side.
      side: scalar, of the square, at least 1.
      largest: upper limit of side, which sizes the table of sums.

    Returns:
      (b, H, W) float32 of norm 1, zero outside the square.
    """
    rings = tf.constant(np.concatenate([[0], np.cumsum(1 / np.arange(1.0, largest + 2) ** 2)]), tf.float32)
    half = side // 2
    upper = i < half
    heights = tf.where(upper, half, side - half)
    down = tf.abs(tf.where(upper, i, i - half) - heights // 2)
    distance = tf.maximum(down, tf.abs(j - side // 2))
    inside = (i >= 0) & (i < side) & (j >= 0) & (j < side)
    height = rings[half + 1] - tf.gather(rings, tf.minimum(distance, half + 1))
    total = tf.zeros_like(height)
    for part, sign in ((inside & upper, 1.0), (inside & ~upper, -1.0)):
        values = tf.where(part, height, 0.0)
        total += sign * tf.math.divide_no_nan(values, _norm(values))
    return tf.math.divide_no_nan(total, _norm(total))


def bump_grid(seed: int, rows: np.ndarray, height: int, width: int, channels: int) -> tf.Tensor:
    """Returns the initial perturbation of the search: a grid of bumps with random orientation, and random sign per channel.

    Args:
      seed: of the random draws, stream 0.
      rows: (b,) indices in the data set.
      height: of the images.
      width: of the images.
      channels: of the images.

    Returns:
      (b, H, W, C) float32; each example has norm 1.
    """
    side = max(1, min(height, width) // _ACROSS)
    down, across = height // side, width // side
    draws = random.uniform(seed, 0, rows, (down, across, 1 + channels))
    i, j = tf.range(side)[None, :, None], tf.range(side)[None, None, :]
    upright, lying = bump(i, j, side, side), bump(j, i, side, side)
    tiles = tf.where((draws[..., 0] < 0.5)[..., None, None], upright, lying)
    tiles = tiles[..., None] * tf.where(draws[..., 1:] < 0.5, -1.0, 1.0)[..., None, None, :]
    grid = tf.reshape(tf.transpose(tiles, [0, 1, 3, 2, 4, 5]), [len(rows), down * side, across * side, channels])
    above, before = (height - down * side) // 2, (width - across * side) // 2
    padding = [[0, 0], [above, height - down * side - above], [before, width - across * side - before], [0, 0]]
    # Every tile has norm 1 in each channel.
    return tf.pad(grid, padding) / math.sqrt(down * across * channels)


def _norm(values):
    return tf.sqrt(tf.reduce_sum(tf.square(values), axis=[1, 2], keepdims=True))
