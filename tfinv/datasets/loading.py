"""`load`: a data set by name or path."""

import os
import pathlib
import sys
from collections.abc import Callable

import numpy as np

from tfinv.datasets import images, locations, prepared
from tfinv.datasets.att_faces.att_faces_dataset_builder import Builder as AttFaces
from tfinv.datasets.dataset import Dataset
from tfinv.datasets.embedded import load_mnist5k
from tfinv.datasets.fer2013.fer2013_dataset_builder import Builder as Fer2013
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
) -> Dataset:
    """Loads a split of a data set into memory.

    | name | images | split |
    |---|---|---|
    | mnist5k | 28x28x1, 10 classes, embedded | 400 train, 100 test a class, by `seed` |
    | mnist | 28x28x1, 10 classes | its own: 60,000 and 10,000 |
    | cifar10 | 32x32x3, 10 classes | its own: 50,000 and 10,000 |
    | att_faces | 112x92x1, 40 persons | 7 train, 3 test a person, by `seed` |
    | fer2013 | 48x48x1, 7 classes | 28,709; validation (PublicTest) 3,589; test (PrivateTest) 3,589 |
    | a folder | files of class folders | its train/ and test/, otherwise 80 % and 20 % a class, by `seed` |
    | an .npz file | see `npz.load_npz` | its x_train and x_test, otherwise as a folder |

    mnist, cifar10, fer2013 keep the order in which they are stored, and so do x_train and x_test unless that is class by class;
    the others are shuffled by `seed`.

    Args:
      name: a name of the table, or a path. To load a folder that is called like a name, write ./name.
      split: "train", "test" or "all", which is every image; fer2013 has "validation" too.
      data_dir: the folder with tensorflow_datasets/ and manual/ in it. Default: TFINV_DATA_DIR, else
        ~/.cache/tfinv.
      limit: the first so many images of the split only.
      seed: of the split and order where the table says so.
      image_size: (height, width) to resize to.

    Raises:
      UserError: there is no such data set or split, it must be downloaded first, or its files are corrupt.
    """
    name = os.fspath(name)
    if limit is not None and limit < 1:
        raise expected("a limit of at least 1 image", limit, "Change --limit.")
    if seed < 0:
        raise expected("a seed from 0", seed, "Change --seed.")
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise expected("an image size of two whole numbers from 1", image_size, "Change --image_size.")
    splits = (*_SPLITS, "validation") if name == "fer2013" else _SPLITS
    if split not in splits:
        raise expected(f"a split of {name} among {', '.join(splits)}", repr(split), "Change --split.")
    source = _SOURCES.get(name)
    dataset = source(split, data_dir, limit, seed) if source else _load_path(name, split, limit, seed, image_size)
    if limit is not None:
        dataset = dataset.take(limit)
    if image_size is not None and tuple(image_size) != dataset.image_shape[:2]:
        pixels = images.resize(dataset.pixels, image_size)
        dataset = Dataset(dataset.name, split, pixels, dataset.labels, dataset.class_names)
    return dataset


def _load_path(name: str, split: str, limit: int | None, seed: int, image_size: tuple[int, int] | None) -> Dataset:
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        return load_folder(path, split, limit, seed, image_size)
    if path.is_file() and path.suffix.lower() == ".npz":
        return load_npz(path, split, seed)
    what = f"one of {', '.join(NAMES)}, or the path of a folder of class folders or of an .npz file"
    raise expected(what, repr(name), "Change --dataset.")


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


_AGAIN = "Delete that folder; the next run prepares it again."


def _load_fer2013(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    path = prepared.prepare(Fer2013, data_dir)
    parts = ("train", "validation", "test") if split == "all" else (split,)
    return prepared.read("fer2013", split, path, parts, limit, _AGAIN)


def _load_att_faces(split: str, data_dir: _DataDir, limit: int | None, seed: int) -> Dataset:
    path = prepared.prepare(AttFaces, data_dir)
    whole = prepared.read("att_faces", split, path, ("train",), None, _AGAIN)
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
