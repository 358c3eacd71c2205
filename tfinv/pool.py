"""Examples that advance together and leave when they are done: what keeps a batch full of work.

State lies on the host, an array a name, and visits the device a batch at a time. Between two visits the examples that are
done drop out and the others close ranks, so that nothing is computed for those that are solved. Batches come in a few sizes
only, because every new size costs the convolutions' libraries some preparation.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

State = dict[str, np.ndarray]

_HALVINGS = 3


def batches(rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Splits row numbers into batches."""
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def pad(array: np.ndarray, size: int) -> np.ndarray:
    """Repeats the last row until there are `size` of them."""
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def padded_size(count: int, batch_size: int) -> int:
    """The least of batch_size, its half, quarter and eighth that holds `count` rows."""
    sizes = [max(1, batch_size >> k) for k in range(_HALVINGS, -1, -1)]
    return next(size for size in sizes if size >= count)


def advance(state: State, rows: np.ndarray, batch_size: int, fn: Callable[..., dict[str, tf.Tensor]]) -> None:
    """Applies `fn` to some rows of the state, in batches, and stores what it returns.

    Args:
      state: name to (n, ...) array; changed in place.
      rows: which of the n.
      batch_size: rows in one call at most.
      fn: takes the state's arrays as tensors by name, and returns the new values of some or all of them.
    """
    for part in batches(rows, batch_size):
        size = padded_size(len(part), batch_size)
        new = fn(**{name: tf.constant(pad(values[part], size)) for name, values in state.items()})
        for name, value in new.items():
            state[name][part] = value.numpy()[: len(part)]


def phases(steps: int, longest: int = 32) -> Iterator[int]:
    """How many steps to take before looking again: few at first, when many are solved, then more."""
    length, left = 2, steps
    while left:
        yield min(length, left)
        left -= min(length, left)
        length = min(2 * length, longest)
