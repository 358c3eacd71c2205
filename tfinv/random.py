"""Random draws that depend on the seed and on an example's index in the data set, and not on its batch; Keras's own, seeded."""

import contextlib
import importlib
import math
import random as python_random
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def uniform(seed: int, stream: int, rows: np.ndarray, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns uniform draws from [0, 1).

    Args:
      seed: of the whole run.
      stream: number of an independent sequence of draws within the run, such as a restart.
      rows: (b,) indices of the examples in the data set, at least 0.
      shape: of one example.

    Returns:
      (b, *shape) float32; an example's draws are the same whatever batch it comes in.
    """
    return _draw(tf.raw_ops.StatelessRandomUniformV2, seed, stream, rows, shape)


def normal(seed: int, stream: int, rows: np.ndarray, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns standard normal draws; arguments and shape as for `uniform`."""
    return _draw(tf.raw_ops.StatelessRandomNormalV2, seed, stream, rows, shape)


def _draw(op, seed, stream, rows, shape):
    # Philox makes four 32-bit numbers a counter value, so whole blocks of four keep the rows apart.
    blocks = math.ceil(math.prod(shape) / 4)
    key = tf.constant([int(seed) % 2**63], tf.uint64)
    indices, inverse = np.unique(rows, return_inverse=True)
    if indices[-1] - indices[0] < 2 * len(indices):  # drawing a few that nobody asked for costs less than many calls
        indices, inverse = np.arange(indices[0], indices[-1] + 1), np.asarray(rows) - indices[0]
    # One call for each run of consecutive indices: one over all from the first to the last could need any amount of memory.
    draws = []
    for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1):
        counter = tf.constant([int(run[0]) * blocks, stream], tf.uint64)
        draws.append(op(shape=[len(run) * blocks * 4], key=key, counter=counter, alg=1, dtype=tf.float32))
    gathered = tf.gather(tf.reshape(tf.concat(draws, 0), [-1, blocks * 4]), inverse)
    return tf.reshape(gathered[:, : math.prod(shape)], [len(rows), *shape])


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block, what Keras draws for new layers depends on the seed alone, as after `keras.utils.set_random_seed`.

    Keras takes the seeds of initialisers from Python's global generator. Other threads draw from it too, as Dask's do in a worker:
    then the same seed gave other weights. In the block Keras has a generator of its own, of the same sequence.

    Args:
      seed: at least 0.
    """
    keras.utils.set_random_seed(seed)
    module: Any = importlib.import_module("keras.src.random.seed_generator")
    shared = module.python_random
    module.python_random = python_random.Random(seed)
    try:
        yield
    finally:
        module.python_random = shared
