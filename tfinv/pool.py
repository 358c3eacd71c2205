"""A pool of active examples: iterations run on full batches of those that are not finished yet.

The state is kept on the host, one array per name, and is sent to the device batch by batch. Between two calls, finished
examples are removed and the others are packed together, so that nothing is computed for solved examples. Batches have a few
sizes only, because the convolution libraries prepare anew for every size.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

State = dict[str, np.ndarray]

_HALVINGS = 3
# Shares of a search after which half of its examples are given up, and how many stay at least.
_NARROWINGS, _LEAST = (1 / 16, 1 / 8, 1 / 4, 1 / 2), 8


def batches(rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Splits row numbers into batches."""
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def pad(array: np.ndarray, size: int) -> np.ndarray:
    """Repeats the last row until the array has `size` rows."""
    missing = size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array


def padded_size(count: int, batch_size: int) -> int:
    """Returns the smallest of batch_size, its half, quarter and eighth that holds `count` rows."""
    sizes = [max(1, batch_size >> k) for k in range(_HALVINGS, -1, -1)]
    return next(size for size in sizes if size >= count)


def advance(state: State, rows: np.ndarray, batch_size: int, fn: Callable[..., dict[str, tf.Tensor]]) -> None:
    """Applies `fn` to some rows of the state, in batches, and stores what it returns.

    Args:
      state: name to (n, ...) array; changed in place.
      rows: (m,) indices of the examples to advance.
      batch_size: rows in one call at most.
      fn: takes the state's arrays as tensors by name, and returns the new values of some or all of them.
    """
    for batch in batches(rows, batch_size):
        size = padded_size(len(batch), batch_size)
        updates = fn(**{name: tf.constant(pad(values[batch], size)) for name, values in state.items()})
        for name, value in updates.items():
            state[name][batch] = value.numpy()[: len(batch)]


def phases(steps: int, longest: int = 32) -> Iterator[int]:
    """Yields the numbers of steps between two checks: few at first, when many examples are solved, then more."""
    length, remaining = 2, steps
    while remaining:
        yield min(length, remaining)
        remaining -= min(length, remaining)
        length = min(2 * length, longest)


def nearest_rows(rows: np.ndarray, margins: np.ndarray, before: int, after: int, total: int) -> np.ndarray:
    """Returns the examples on which a random search goes on, if it is to find any success rather than each.

    After a sixteenth, an eighth, a quarter and half of the search, the half with the smaller margins is given up, but for eight
    images: what is far from success by then is hardly ever reached, and would take most of the work.

    Args:
      rows: (m,) indices of the examples without success.
      margins: (n,) largest so far, of all examples.
      before: draws that were made when the last ones were given up.
      after: draws that have been made.
      total: draws of the search.
    """
    halvings = sum(before < share * total <= after for share in _NARROWINGS)
    count = min(len(rows), max(_LEAST, len(rows) >> halvings)) if halvings else len(rows)
    return np.sort(rows[np.argsort(-margins[rows], kind="stable")[:count]])
