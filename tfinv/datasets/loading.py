"""`load`: loads a data set by name or path."""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence

import numpy as np

from tfinv import paths
from tfinv.catalogue import unknown_dataset
from tfinv.datasets import classes, fitting, images, locations, prepared
from tfinv.datasets.att_faces.att_faces_dataset_builder import Builder as AttFaces
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.embedded import load_mnist5k
from tfinv.datasets.fer2013.fer2013_dataset_builder import Builder as Fer2013
from tfinv.datasets.fitting import Form
from tfinv.datasets.folder import load_folder
from tfinv.datasets.npz import load_npz
from tfinv.datasets.splitting import split_indices
from tfinv.errors import expected

_SPLITS = ("train", "test", "all")
_ATT_TRAIN_PER_PERSON = 7
_DataDir = str | os.PathLike | None


def load(
    name: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: _DataDir = None,
    limit: int | None = None,
    seed: int = 0,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    resize: str | None = None,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
) -> Dataset:
    """Loads a split of a data set. What was done to make it fit is in its `notes`.

    | name | images | split |
    |---|---|---|
    | mnist5k | 28x28x1, 10 classes, embedded | 400 train, 100 test per class, by `seed` |
    | mnist | 28x28x1, 10 classes | as published: 60,000 and 10,000 |
    | cifar10 | 32x32x3, 10 classes | as published: 50,000 and 10,000 |
    | att_faces | 112x92x1, 40 persons | 7 train, 3 test per person, by `seed` |
    | fer2013 | 48x48x1, 7 classes | 28,709; validation (PublicTest) 3,589; test (PrivateTest) 3,589 |
    | a folder | files of class folders | its train/ and test/, otherwise 80 % and 20 % per class, by `seed` |
    | an .npz file | see `npz.load_npz` | its x_train and x_test, otherwise as a folder |

    mnist, cifar10, fer2013 keep their stored order, as do x_train and x_test unless they are stored class by class; the others
    are shuffled by `seed`. Many large files of a folder are decoded as they are needed.

    Args:
      name: a name from the table, or a path. To load a folder of the same name, write ./name.
      split: "train", "test" or "all", which is every image; fer2013 also has "validation".
      data_dir: the folder that contains tensorflow_datasets/ and manual/. Default: TFINV_DATA_DIR, else
        ~/.cache/tfinv.
      limit: number of images to load, the first of the split; None for all.
      seed: of the split and order where the table says so.
      image_size: (height, width) to resize to.
      channels: 1 for grey images, 3 for RGB; None for those that the data set has.
      resize: "keras" for the pixels of `keras.utils.image_dataset_from_directory`, decoded and resized by TensorFlow, or "pillow",
        which smooths where it shrinks. None for Keras's of folders and .npz files, and Pillow's of the data sets by name.
      class_names: names of the model's classes in the order of its outputs, with which those of the data set are matched; of
        these some may be missing.
      num_classes: number of the model's classes, which tells whether the labels of an .npz file begin at 1.

    Raises:
      UserError: the data set or split is unknown, must be downloaded first, or is corrupt; or its classes can't be matched.
    """
    name = os.fspath(name)
    if limit is not None and limit < 1:
        raise expected("a limit of at least 1 image", limit, "Change --limit.")
    if seed < 0:
        raise expected("a seed from 0", seed, "Change --seed.")
    names = None if class_names is None else tuple(str(name) for name in class_names)
    form = Form(None if image_size is None else tuple(image_size), channels, resize, names, num_classes)  # type: ignore[arg-type]
    splits = (*_SPLITS, "validation") if name == "fer2013" else _SPLITS
    if split not in splits:
        raise expected(f"a split of {name} among {', '.join(splits)}", repr(split), "Change --split.")
    source = _SOURCES.get(name)
    if source is None:
        return _load_path(name, split, limit, seed, form)
    return _match(fitting.fit(_take(source(split, data_dir, limit, seed), limit), form, images.PILLOW), form)


def _load_path(name: str, split: str, limit: int | None, seed: int, form: Form) -> Dataset:
    path = paths.expand(name)
    if path.is_dir():
        return load_folder(path, split, limit, seed, form)
    if path.is_file() and path.suffix.lower() == ".npz":
        return fitting.fit(_take(load_npz(path, split, seed, form), limit), form, images.KERAS)
    raise unknown_dataset(name)


def _take(dataset: Dataset, limit: int | None) -> Dataset:
    return dataset if limit is None else dataset.take(limit)


def _match(dataset: Dataset, form: Form) -> Dataset:
    """The data set with the model's classes, matched by name unless its own names are no more than their numbers."""
    names = dataset.class_names
    if form.class_names is None or form.class_names == names or classes.are_numbers(names):
        return dataset
    of_model, notes = classes.match(names, form.class_names, f"classes of {dataset.name}")
    notes = (*dataset.notes, *notes, *classes.order_note(names, of_model))
    return dataclasses.replace(dataset, labels=of_model[dataset.labels], class_names=form.class_names, notes=notes)


def _load_downloaded(name: str, split: str, data_dir: _DataDir, limit: int | None) -> Dataset:
    root = locations.prepared_dir(data_dir)
    path = prepared.newest_version(root / name)
    code = f"import tensorflow_datasets as tfds; tfds.load('{name}', data_dir='{root}')"
    command = f'{os.path.basename(sys.executable) or "python"} -c "{code}"'
    if path is None:
        hint = f"Download it with: {command} {locations.HINT}"
        raise expected(f"{name} as prepared by TensorFlow Datasets in {root / name}", "none there", hint)
    parts = ("train", "test") if split == "all" else (split,)
    remedy = f"Delete that folder and download it again with: {command}"
    return prepared.read(name, split, path, parts, limit, remedy)


def _load_mnist(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    return _load_downloaded("mnist", split, data_dir, limit)


def _load_cifar10(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    return _load_downloaded("cifar10", split, data_dir, limit)


_REMEDY = "Delete that folder; the next run prepares it again."


def _load_fer2013(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    path = prepared.prepare(Fer2013, data_dir)
    parts = ("train", "validation", "test") if split == "all" else (split,)
    return prepared.read("fer2013", split, path, parts, limit, _REMEDY)


def _load_att_faces(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    path = prepared.prepare(AttFaces, data_dir)
    whole = prepared.read("att_faces", split, path, ("train",), None, _REMEDY)
    num_train = np.full(whole.num_classes, _ATT_TRAIN_PER_PERSON)
    return whole.subset(split_indices(whole.labels, split, num_train, seed))


_SOURCES: dict[str, Callable[[str, _DataDir, int | None, int], Dataset]] = {
    "mnist5k": load_mnist5k,
    "mnist": _load_mnist,
    "cifar10": _load_cifar10,
    "att_faces": _load_att_faces,
    "fer2013": _load_fer2013,
}
NAMES = tuple(_SOURCES)
