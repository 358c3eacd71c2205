"""Data sets in an .npz file, as written by `numpy.savez` or stored by `keras.datasets`."""

import os
from collections.abc import Sequence

import numpy as np

from tfinv import files, paths
from tfinv.datasets import arrays as forms
from tfinv.datasets import classes
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.fitting import Form
from tfinv.datasets.splitting import eighty_twenty, split_indices
from tfinv.errors import expected

_WHOLE = (("images", "labels"), ("x", "y"))
_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_KEYS = "images and labels; x and y; or x_train, y_train, x_test and y_test"


def load_npz(path: str | os.PathLike, split: str, seed: int, form: Form | None = None) -> Dataset:
    """Reads an .npz file.

    Args:
      path: a file with the keys images and labels, or x and y, or x_train, y_train, x_test and y_test. Images are (n, height,
        width) or (n, height, width, channels), uint8 in 0..255 or floats in [0, 1], or in a form that `arrays.to_pixels`
        turns into these; labels are whole numbers (n,), or what `arrays.to_labels` turns into them. The key class_names,
        strings, is optional. Nothing is unpickled.
      split: "train", "test" or "all". Without x_train in the file, a stratified 80/20 split is drawn by
        `seed`; with it, "all" is the training images, then the test images.
      seed: of that split, and of the shuffle of x_train and x_test where they are stored class by class, so that the first and
        last images are from all classes there too.
      form: names and number of the model's classes.

    Raises:
      UserError: the file has other keys, or is corrupt, or images or labels are in a form that can't be read.
    """
    path, form = paths.expand(path), form or Form()
    hint = "Save texts as plain arrays: labels.astype(str), and images of one shape: np.stack(images)."
    arrays = files.read_arrays(path, "a whole .npz file of plain arrays", hint)
    name = path.stem
    for images, labels in _WHOLE:
        if images in arrays and labels in arrays:
            (pixels,), notes = forms.to_pixels([arrays[images]], images)
            (targets,), names, notes_of_labels = _labels([arrays[labels]], labels, arrays, form)
            whole = Dataset(name, split, pixels, targets, names, (*notes, *notes_of_labels))
            order = split_indices(whole.labels, split, eighty_twenty(whole.labels, len(names)), seed)
            return Dataset(name, split, pixels[order], whole.labels[order], names, whole.notes)
    if not all(key in arrays for key in _SPLIT):
        raise expected(f"an .npz file with the keys {_KEYS}", f"{path} with {', '.join(sorted(arrays)) or 'none'}")
    x_train, y_train, x_test, y_test = (arrays[key] for key in _SPLIT)
    shapes = [(x.shape[1:], x.dtype) for x in (x_train, x_test)]
    if shapes[0] != shapes[1]:
        received = " and ".join(f"{shape} {dtype}" for shape, dtype in shapes)
        raise expected(f"one shape and type of x_train and x_test in {path}", received)
    images_of, notes = forms.to_pixels([x_train, x_test], "x_train")
    labels_of, names, notes_of_labels = _labels([y_train, y_test], "y_train", arrays, form)
    train, test = (
        _shuffle_if_sorted(Dataset(name, part, pixels, labels, names, (*notes, *notes_of_labels)), seed)
        for part, pixels, labels in zip(("train", "test"), images_of, labels_of, strict=True)
    )
    if split == "all":
        pixels = np.concatenate([train.pixels, test.pixels])
        return Dataset(name, "all", pixels, np.concatenate([train.labels, test.labels]), names, train.notes)
    return train if split == "train" else test


def _labels(
    parts: Sequence[np.ndarray], key: str, arrays: dict[str, np.ndarray], form: Form
) -> tuple[list[np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """Labels of each part as the model's numbers, names of the classes, and notes."""
    declared = tuple(str(name) for name in np.atleast_1d(arrays["class_names"])) if "class_names" in arrays else None
    of_model = form.num_classes or (len(form.class_names) if form.class_names else None)
    count = of_model if declared is None else len(declared)
    labels, names, notes = forms.to_labels(parts, key, declared, count)
    if form.class_names is None or classes.are_numbers(names):
        return labels, names, notes
    numbers, matching = classes.match(names, form.class_names, f"names of the classes in {key}")
    labels = [numbers[part] for part in labels]
    return labels, form.class_names, (*notes, *matching, *classes.order_note(names, numbers))


def _shuffle_if_sorted(dataset: Dataset, seed: int) -> Dataset:
    """Shuffles a data set that is stored class by class."""
    labels = dataset.labels
    if labels[0] == labels[-1] or np.any(np.diff(labels) < 0):
        return dataset
    return dataset.subset(np.random.default_rng(seed).permutation(len(labels)))
