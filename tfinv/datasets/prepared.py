"""Reads data sets that TensorFlow Datasets has prepared on disk, and prepares those with a builder in this package."""

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
_INFO = "dataset_info.json"  # TFDS writes it last, so a folder without it is incomplete


def newest_version(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of the newest complete version under a data set's folder, or None.

    TFDS's incomplete.* folders, which a killed preparation leaves behind, are ignored.
    """
    if not folder.is_dir():
        return None
    versions = [p for p in folder.iterdir() if _VERSION.fullmatch(p.name) and (p / _INFO).is_file()]
    return max(versions, key=lambda p: tuple(map(int, p.name.split("."))), default=None)


def prepare(builder_cls: Any, data_dir: str | os.PathLike | None) -> pathlib.Path:
    """Prepares a data set of this package from its manual download, unless it is already prepared.

    TFDS writes to a temporary folder and moves it into place when it is complete. Of two concurrent processes, the result of
    the later one is dropped.

    Args:
      builder_cls: a builder with the attributes MANUAL_FILES, of which it reads any one, and
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
    if not any((manual / file).exists() for file in builder_cls.MANUAL_FILES):
        paths = " or ".join(str(manual / file) for file in builder_cls.MANUAL_FILES)
        instructions = " ".join(builder_cls.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        raise expected(f"{name} at {paths}", "no such file", f"{instructions} {locations.HINT}")
    config = tfds.download.DownloadConfig(manual_dir=str(manual), try_download_gcs=False)
    try:
        with _suppress_output():
            builder = builder_cls(data_dir=str(locations.prepared_dir(data_dir)))
            builder.download_and_prepare(download_config=config)
    except OSError as error:
        if not (path / _INFO).is_file():  # otherwise another process was faster
            received = f"{path.parent} ({error.strerror or error})"
            raise expected("a folder that can be written to", received, locations.HINT) from error
    return path


def read(name: str, split: str, path: pathlib.Path, parts: Sequence[str], limit: int | None, remedy: str) -> Dataset:
    """Reads a prepared data set with the features image and label, in stored order.

    Args:
      name: of the data set.
      split: name of the split in this package.
      path: the folder of the version.
      parts: TFDS's names of the splits to read, one after the other.
      limit: the largest number of images to read, or None for all.
      remedy: instruction for the case that the files are corrupt.

    Raises:
      UserError: files are missing, truncated or corrupt, or the data set was prepared from files without that split.
    """
    pixels, labels = [], []
    remaining = limit
    try:
        with _suppress_output():
            builder = tfds.builder_from_directory(str(path))
            class_names = tuple(builder.info.features["label"].names)
            splits = builder.info.splits
            if missing := [part for part in parts if part not in splits and split != "all"]:
                if not splits:
                    raise _broken(path, f"no {missing[0]}", remedy)
                raise expected(
                    f"a split of {name} among {', '.join(splits)}, which its files tell apart",
                    repr(split),
                    "Change --split.",
                )
            for part in (part for part in parts if part in splits):
                count = builder.info.splits[part].num_examples
                count = count if remaining is None else min(count, remaining)
                if not count:
                    continue
                data = builder.as_dataset(split=f"{part}[:{count}]", batch_size=-1)
                pixels.append(data["image"].numpy())
                labels.append(data["label"].numpy())
                if len(labels[-1]) != count:
                    raise _broken(path, f"{len(labels[-1])} of {count} images of {part}", remedy)
                remaining = None if remaining is None else remaining - count
    except (UserError, MemoryError):
        raise
    except Exception as error:  # parsing corrupt JSON, protocol buffers, records or PNG files may raise anything
        raise _broken(path, f"{type(error).__name__}: {str(error).splitlines()[0:1]}", remedy) from error
    return Dataset(name, split, np.concatenate(pixels), np.concatenate(labels), class_names)


def _broken(path: pathlib.Path, reason: str, remedy: str) -> UserError:
    return expected("a whole prepared data set", f"{path} ({reason})", remedy)


@contextlib.contextmanager
def _suppress_output() -> Iterator[None]:
    """Suppresses TFDS's messages and progress bars, which it prints whatever its settings."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
