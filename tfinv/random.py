"""Draws that depend on the seed and on an example's place in the data set, and not on how it was batched."""

import math

import numpy as np
import tensorflow as tf


def uniform(seed: int, stream: int, rows: np.ndarray, shape: tuple[int, ...]) -> tf.Tensor:
    """Uniform draws from [0, 1).

    Args:
      seed: of the whole run.
      stream: tells the draws of one run apart (restarts, say).
      rows: (b,) places of the examples in the data set, at least 0.
      shape: of one example.

    Returns:
      (b, *shape) float32; an example's draws are the same whatever batch it comes in.
    """
    return _draw(tf.raw_ops.StatelessRandomUniformV2, seed, stream, rows, shape)


def normal(seed: int, stream: int, rows: np.ndarray, shape: tuple[int, ...]) -> tf.Tensor:
    """Standard normal draws; otherwise as `uniform`."""
    return _draw(tf.raw_ops.StatelessRandomNormalV2, seed, stream, rows, shape)


def _draw(op, seed, stream, rows, shape):
    # Philox makes four 32-bit numbers a counter value, so whole blocks of four keep the rows apart.
    blocks = math.ceil(math.prod(shape) / 4)
    key = tf.constant([int(seed) % 2**63], tf.uint64)
    places, which = np.unique(rows, return_inverse=True)
    # One call for each run of neighbours: a call over all between the first and the last could need any amount of memory.
    draws = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        counter = tf.constant([int(run[0]) * blocks, stream], tf.uint64)
        draws.append(op(shape=[len(run) * blocks * 4], key=key, counter=counter, alg=1, dtype=tf.float32))
    chosen = tf.gather(tf.reshape(tf.concat(draws, 0), [-1, blocks * 4]), which)
    return tf.reshape(chosen[:, : math.prod(shape)], [len(rows), *shape])
