"""Data sets that TensorFlow Datasets has prepared on disk, read into memory; and preparing our own."""

import contextlib
import io
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfinv.datasets import locations
from tfinv.datasets.dataset import Dataset
from tfinv.errors import UserError, expected

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_INFO = "dataset_info.json"  # TFDS writes it last, so a folder without is not whole


def newest_version(folder: pathlib.Path) -> pathlib.Path | None:
    """The folder of the newest whole version under a data set's folder, or None.

    TFDS's incomplete.* folders, which a killed preparation leaves, do not count.
    """
    if not folder.is_dir():
        return None
    whole = [p for p in folder.iterdir() if _VERSION.fullmatch(p.name) and (p / _INFO).is_file()]
    return max(whole, key=lambda p: tuple(map(int, p.name.split("."))), default=None)


def prepare(builder_cls: Any, data_dir: str | os.PathLike | None) -> pathlib.Path:
    """Prepares one of our own data sets from its manual download, unless that has been done.

    It is written beside its place and moved there when it is whole. Of two processes that do so at once, the
    later one's work is dropped.

    Args:
      builder_cls: a builder with the attributes MANUAL_FILES, any one of which it reads, and
        MANUAL_DOWNLOAD_INSTRUCTIONS.
      data_dir: see `locations.data_dir`.

    Returns:
      The folder of the prepared data set.

    Raises:
      UserError: the manual download is missing or corrupt, or the folder cannot be written to.
    """
    name, version = builder_cls.name, str(builder_cls.VERSION)
    path = locations.prepared_dir(data_dir) / name / version
    if (path / _INFO).is_file():
        return path
    if path.exists():
        raise _broken(path, f"no {_INFO}", "Delete that folder; the next run prepares it again.")
    manual = locations.manual_dir(data_dir)
    if not any((manual / file).is_file() for file in builder_cls.MANUAL_FILES):
        what = " or ".join(str(manual / file) for file in builder_cls.MANUAL_FILES)
        instructions = " ".join(builder_cls.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        raise expected(f"{name} at {what}", "no such file", f"{instructions} {locations.HINT}")
    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        with _quiet():
            builder = builder_cls(data_dir=str(locations.prepared_dir(data_dir)))
            builder.download_and_prepare(download_config=config)
    except OSError as error:
        if not (path / _INFO).is_file():  # otherwise another process was faster
            received = f"{path.parent} ({error.strerror or error})"
            raise expected("a folder that can be written to", received, locations.HINT) from error
    return path


def read(name: str, split: str, path: pathlib.Path, parts: Sequence[str], limit: int | None, remedy: str) -> Dataset:
    """Reads a prepared data set with the features image and label, in the order in which it is stored.

    Args:
      name: of the data set.
      split: our name of the split.
      path: the folder of the version.
      parts: TFDS's names of the splits to read, one after the other.
      limit: read only that many images, or None for all.
      remedy: what to do if the files are corrupt.

    Raises:
      UserError: files are missing, truncated or corrupt.
    """
    pixels, labels = [], []
    left = limit
    try:
        with _quiet():
            builder = tfds.builder_from_directory(str(path))
            class_names = tuple(builder.info.features["label"].names)
            for part in parts:
                count = builder.info.splits[part].num_examples
                count = count if left is None else min(count, left)
                if not count:
                    continue
                data = builder.as_dataset(split=f"{part}[:{count}]", batch_size=-1)
                pixels.append(data["image"].numpy())
                labels.append(data["label"].numpy())
                if len(labels[-1]) != count:
                    raise _broken(path, f"{len(labels[-1])} of {count} images of {part}", remedy)
                left = None if left is None else left - count
    except (UserError, MemoryError):
        raise
    except Exception as error:  # whatever parsing corrupt JSON, protocol buffers, records or PNG files raises
        raise _broken(path, f"{type(error).__name__}: {str(error).splitlines()[0:1]}", remedy) from error
    return Dataset(name, split, np.concatenate(pixels), np.concatenate(labels), class_names)


def _broken(path: pathlib.Path, reason: str, remedy: str) -> UserError:
    return expected("a whole prepared data set", f"{path} ({reason})", remedy)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallows TFDS's messages and progress bars, which it prints whatever its settings."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
