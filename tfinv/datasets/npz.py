"""Data sets in an .npz file, as `numpy.savez` writes and `keras.datasets` keeps them."""

import os
import pathlib

import numpy as np

from tfinv import files
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.splitting import eighty_twenty, split_indices
from tfinv.errors import expected

_WHOLE = (("images", "labels"), ("x", "y"))
_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_KEYS = "images and labels; x and y; or x_train, y_train, x_test and y_test"


def load_npz(path: str | os.PathLike, split: str, seed: int) -> Dataset:
    """Reads an .npz file.

    Args:
      path: a file with the keys images and labels, or x and y, or x_train, y_train, x_test and y_test. Images
        are (n, height, width) or (n, height, width, channels), uint8 in 0..255 or floats in [0, 1]; labels
        are whole numbers (n,) or (n, 1). The key class_names, strings, is optional. Nothing in it is
        unpickled.
      split: "train", "test" or "all". Without x_train in the file, a stratified 80/20 split is drawn by
        `seed`; with it, "all" is the training images, then the test images.
      seed: of that split, and of the order of x_train and x_test where they are stored class by class, so that the first or
        last images are of all classes there too.

    Raises:
      UserError: the file is not such a file, or is corrupt.
    """
    path = pathlib.Path(path)
    arrays = files.read_arrays(path, "a whole .npz file of plain arrays")
    name = path.stem
    for images, labels in _WHOLE:
        if images in arrays and labels in arrays:
            pixels, targets = _images(arrays[images]), _labels(arrays[labels])
            names = _class_names(arrays, targets)
            whole = Dataset(name, split, pixels, targets, names)
            order = split_indices(whole.labels, split, eighty_twenty(whole.labels, len(names)), seed)
            return Dataset(name, split, pixels[order], whole.labels[order], names)
    if not all(key in arrays for key in _SPLIT):
        raise expected(f"an .npz file with the keys {_KEYS}", f"{path} with {', '.join(sorted(arrays)) or 'none'}")
    x_train, y_train, x_test, y_test = (arrays[key] for key in _SPLIT)
    parts = {"train": (_images(x_train), _labels(y_train)), "test": (_images(x_test), _labels(y_test))}
    names = _class_names(arrays, *(labels for _, labels in parts.values()))
    train, test = (_mixed(Dataset(name, part, *parts[part], names), seed) for part in parts)
    if train.image_shape != test.image_shape or train.pixels.dtype != test.pixels.dtype:
        received = f"{train.image_shape} {train.pixels.dtype} and {test.image_shape} {test.pixels.dtype}"
        raise expected(f"one shape and type of x_train and x_test in {path}", received)
    if split == "all":
        pixels = np.concatenate([train.pixels, test.pixels])
        return Dataset(name, "all", pixels, np.concatenate([train.labels, test.labels]), names)
    return train if split == "train" else test


def _mixed(dataset: Dataset, seed: int) -> Dataset:
    """Shuffled if it is stored class by class."""
    labels = dataset.labels
    if labels[0] == labels[-1] or np.any(np.diff(labels) < 0):
        return dataset
    return dataset.subset(np.random.default_rng(seed).permutation(len(labels)))


def _images(array: np.ndarray) -> np.ndarray:
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32)
    return array[..., None] if array.ndim == 3 else array


def _labels(array: np.ndarray) -> np.ndarray:
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _class_names(arrays: dict[str, np.ndarray], *labels: np.ndarray) -> tuple[str, ...]:
    if "class_names" in arrays:
        return tuple(str(name) for name in np.atleast_1d(arrays["class_names"]))
    highest = max((int(part.max()) for part in labels if part.size and part.dtype.kind in "iu"), default=0)
    return tuple(str(label) for label in range(highest + 1))
