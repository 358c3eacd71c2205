"""Files of Keras as containers: a configuration, the version that wrote it, and weights."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py

from tfinv.errors import expected
from tfinv.importing.loaded import innermost
from tfinv.importing.repairs import hdf5
from tfinv.importing.repairs.context import Unrepairable

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
WEIGHTS = "model.weights.h5"
_LARGEST = 1 << 28  # bytes of a configuration
_DAMAGES = (OSError, ValueError, KeyError, RuntimeError, NotImplementedError, RecursionError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file or folder of Keras.

    Attributes:
      path: of the file or folder.
      kind: "zip", "folder" or "hdf5".
      config: the configuration as JSON values; None if there are only weights.
      version: of the Keras that wrote it, or "of unknown version".
    """

    path: pathlib.Path
    kind: str
    config: Any = dataclasses.field(repr=False)
    version: str = "of unknown version"

    @property
    def major(self) -> int:
        """The first number of the version; that of Keras 1 for an HDF5 file, and of Keras 2 for others, that don't say it."""
        number = re.match(r"\d+", self.version)
        return int(number[0]) if number else 1 if self.kind == "hdf5" else 2

    @contextlib.contextmanager
    def weights(self) -> Iterator[h5py.File]:
        """The HDF5 file of the weights, open for reading, after a check that it refers to no other file."""
        if self.kind == "zip":
            with zipfile.ZipFile(self.path) as archive, archive.open(WEIGHTS) as member, h5py.File(member, "r") as file:
                hdf5.check(file)
                yield file
        else:
            with h5py.File(self.path / WEIGHTS if self.kind == "folder" else self.path, "r") as file:
                hdf5.check(file)
                yield file

    @contextlib.contextmanager
    def named(self) -> Iterator[pathlib.Path]:
        """The file under a name by whose suffix Keras knows its format."""
        suffixes = {"zip": (".keras",), "hdf5": (".h5", ".hdf5"), "folder": (self.path.suffix,)}[self.kind]
        if self.path.suffix in suffixes:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="tfinv-") as folder:
            link = pathlib.Path(folder) / f"model{suffixes[0]}"
            try:
                link.symlink_to(self.path.resolve())
            except OSError:  # where links need a permission
                shutil.copy(self.path, link)
            yield link


def read(path: pathlib.Path) -> Archive:
    """Reads the configuration of a file or folder of Keras, and nothing else.

    Raises:
      UserError: it is damaged.
    """
    try:
        if path.is_dir():
            return _folder(path)
        with open(path, "rb") as file:
            is_zip = file.read(4) == ZIP
        return _zip(path) if is_zip else _hdf5(path)
    except Unrepairable as error:
        raise expected("a model file on its own", f"{path} with {error}", "Don't load it anywhere.") from error
    except _DAMAGES as error:
        raise expected("a whole model file", f"{path} ({innermost(error)})", "Download or copy it again.") from error


def _folder(path: pathlib.Path) -> Archive:
    metadata = path / "metadata.json"
    version = json.loads(metadata.read_text(encoding="utf-8")) if metadata.is_file() else {}
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    return Archive(path, "folder", config, _version(version))


def _zip(path: pathlib.Path) -> Archive:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > _LARGEST:
            raise ValueError("a configuration that is larger than any model's")
        metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in archive.namelist() else {}
        return Archive(path, "zip", json.loads(archive.read("config.json")), _version(metadata))


def _hdf5(path: pathlib.Path) -> Archive:
    with h5py.File(path, "r") as file:
        config, version = (file.attrs.get(name) for name in ("model_config", "keras_version"))
        hdf5.check(file)
        config = None if config is None else json.loads(config)
        return Archive(path, "hdf5", config, hdf5.text(version or "of unknown version"))


def _version(metadata: Any) -> str:
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return str(version or "of unknown version")
