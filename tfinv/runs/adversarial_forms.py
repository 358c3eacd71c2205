"""Files of adversarial images: arrays, class folders of PNG files, or TFRecords, written chunk by chunk.

| form | an attack is | pixels |
|---|---|---|
| npy | an array (n, H, W, C) | float32 in the classifier's bounds |
| npz | images, labels and class_names, as `tfinv.datasets.load` reads them | float32 in [0, 1] |
| png | class folders of PNG files, as Keras's `image_dataset_from_directory` and `tfinv.datasets.load` read them | 8 bits |
| tfrecord | examples with an encoded PNG image, its label, class name and place in the data set | 8 bits |
"""

import dataclasses
import io
import os
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from PIL import Image

from tfinv import files

Chunks = Iterable[tuple[np.ndarray, np.ndarray]]

SUFFIXES = {"npy": ".npy", "npz": ".npz", "png": "", "tfrecord": ".tfrecord"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """Number and form of the images that are saved.

    Attributes:
      count: number of images in the end.
      shape: (H, W, C) of one.
      bounds: of the classifier.
      class_names: in the order of the labels.
    """

    count: int
    shape: tuple[int, ...]
    bounds: tuple[float, float] = (0.0, 1.0)
    class_names: tuple[str, ...] = ()

    def to_unit(self, images: np.ndarray) -> np.ndarray:
        """Images in the bounds as float32 in [0, 1]."""
        low, high = self.bounds
        return np.clip((images.astype(np.float64) - low) / (high - low), 0, 1).astype(np.float32)

    def from_levels(self, levels: np.ndarray) -> np.ndarray:
        """Levels of 8 bits as float32 images in the bounds."""
        low, high = self.bounds
        images = (low + levels.astype(np.float64) / 255 * (high - low)).astype(np.float32)
        return np.clip(images, np.float32(low), np.float32(high))

    def name(self, label: int) -> str:
        """The name of a class."""
        return self.class_names[label] if label < len(self.class_names) else str(label)


def levels_of(images: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Returns images in the bounds as the nearest levels of 8 bits, uint8."""
    low, high = bounds
    return np.clip(np.rint((images.astype(np.float64) - low) / (high - low) * 255), 0, 255).astype(np.uint8)


def folder_names(contents: Contents, labels: np.ndarray) -> list[str]:
    """Returns names of class folders that sort, by the alphabet and by number, in the order of the labels.

    They are the names of the classes where these sort so, and else have the number in front; numbers have leading zeros.
    """
    num_classes = max(len(contents.class_names), int(labels.max(initial=0)) + 1)
    names = [contents.name(label) for label in range(num_classes)]
    width = len(str(num_classes - 1))
    if names == [str(label) for label in range(num_classes)]:
        return [name.zfill(width) for name in names]
    plain = [re.sub(r"[^\w.\- ]", "-", name).strip(". ") or "class" for name in names]
    if plain == sorted(set(plain)) and not all(name.isdigit() for name in plain):
        return plain
    return [f"{str(label).zfill(width)}_{name}" for label, name in enumerate(plain)]


def count_saved(path: pathlib.Path) -> int:
    """Returns the number of PNG files in the class folders of a folder."""
    return sum(1 for _ in path.glob("*/*.png"))


def _write_npy(path: pathlib.Path, chunks: Chunks, labels: np.ndarray, contents: Contents) -> None:
    with files.atomic_path(path) as temporary:
        _stream_npy(temporary, chunks, contents)


def _write_npz(path: pathlib.Path, chunks: Chunks, labels: np.ndarray, contents: Contents) -> None:
    names = [contents.name(label) for label in range(max(len(contents.class_names), int(labels.max(initial=0)) + 1))]
    with files.atomic_path(path) as temporary:
        array = temporary.with_name("images.npy")
        _stream_npy(array, ((rows, contents.to_unit(images)) for rows, images in chunks), contents)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.write(array, "images.npy")
            for name, values in (("labels", labels), ("class_names", np.array(names))):
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, values, allow_pickle=False)


def _stream_npy(path: pathlib.Path, chunks: Chunks, contents: Contents) -> None:
    """Writes rows into an array on disk: a mapped file would count as memory of the process, page after page."""
    shape = (contents.count, *contents.shape)
    row_bytes = int(np.prod(contents.shape)) * 4
    with open(path, "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        start = file.tell()
        for rows, images in chunks:
            for row, image in zip(rows, images, strict=True):
                file.seek(start + int(row) * row_bytes)
                file.write(np.ascontiguousarray(image, "<f4").data)


def _write_png(path: pathlib.Path, chunks: Chunks, labels: np.ndarray, contents: Contents) -> None:
    names, width = folder_names(contents, labels), len(str(contents.count - 1))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
    except OSError as error:
        raise files.unwritable(path.parent, error) from error
    try:
        for name in names:  # also those without an image, so that the others keep their numbers
            (scratch / "whole" / name).mkdir(parents=True)
        for rows, images in chunks:
            for row, levels in zip(rows, levels_of(images, contents.bounds), strict=True):
                file = scratch / "whole" / names[labels[row]] / f"{str(row).zfill(width)}.png"
                file.write_bytes(_png(levels))
        os.replace(scratch / "whole", path)
    except OSError as error:
        raise files.unwritable(path, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_tfrecord(path: pathlib.Path, chunks: Chunks, labels: np.ndarray, contents: Contents) -> None:
    with files.atomic_path(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for rows, images in chunks:
            for row, levels in zip(rows, levels_of(images, contents.bounds), strict=True):
                label = int(labels[row])
                features = {
                    "image/encoded": _bytes(_png(levels)),
                    "image/format": _bytes(b"png"),
                    "image/height": _int(contents.shape[0]),
                    "image/width": _int(contents.shape[1]),
                    "image/class/label": _int(label),
                    "image/class/text": _bytes(contents.name(label).encode()),
                    "image/index": _int(int(row)),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _png(levels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(file, "png")
    return file.getvalue()


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


WRITERS: dict[str, Callable[[pathlib.Path, Chunks, np.ndarray, Contents], None]] = {
    "npy": _write_npy,
    "npz": _write_npz,
    "png": _write_png,
    "tfrecord": _write_tfrecord,
}
