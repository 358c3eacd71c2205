"""Rows of the same label, in their order."""

from collections.abc import Sequence

import numpy as np


def order_in_class(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """(n,) how many of the same label came before each."""
    labels = np.asarray(labels)
    found = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        chosen = labels == label
        found[chosen] = np.arange(chosen.sum())
    return found
