"""Packing of a model's file: no optimizer, compressed, and in half precision if it must be."""

import io
import os
import pathlib
import zipfile
from typing import Any

import h5py
import keras
import numpy as np

from tfinv import files
from tfinv.errors import expected
from tfinv.models.pretrained import MOST_BYTES

_WEIGHTS = "model.weights.h5"


def pack(model: str | os.PathLike, path: str | os.PathLike) -> str:
    """Writes a model without an optimizer, compressed, and in half precision if it would be too large for the package otherwise.

    Half precision is of the kernels alone, which are nearly all of it: biases and statistics stay as they are. The model computes
    in float32 either way, and any Keras loads it.

    Args:
      model: a .keras file.
      path: the .keras file to write.

    Returns:
      "float32" or "float16", the type in which the kernels are stored.

    Raises:
      UserError: it is too large even so, or a kernel exceeds the range of float16.
    """
    loaded = keras.models.load_model(model, compile=False)
    with files.atomic_path(path) as temporary:
        for weights in ("float32", "float16"):
            loaded.save(temporary)
            _compress(temporary, halve=weights == "float16")
            size = temporary.stat().st_size
            if size <= MOST_BYTES:
                return weights
        raise expected(f"a model of at most {MOST_BYTES:,} bytes in float16", f"{size:,}", "Train a smaller network.")


def _compress(path: pathlib.Path, halve: bool) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    if halve:
        content[_WEIGHTS] = _halved(content[_WEIGHTS])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def _halved(weights: bytes) -> bytes:
    """Returns an HDF5 file with its kernels in float16."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights), "r") as old, h5py.File(buffer, "w") as new:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                target = new.create_dataset(name, data=packed_weights(item[()], True))
            else:
                target = new.require_group(name)
            target.attrs.update(item.attrs)

        old.visititems(copy)
        new.attrs.update(old.attrs)
    return buffer.getvalue()


def packed_weights(values: Any, half: bool) -> Any:
    """Returns a weight as a packed file stores it: kernels in float16 if `half`, anything else as it is.

    Raises:
      UserError: it exceeds the range of float16.
    """
    if not half or np.ndim(values) < 2 or values.dtype != np.float32:
        return values
    largest = float(np.abs(values).max(initial=0))
    if largest > float(np.finfo(np.float16).max):
        raise expected("kernels within the range of float16", f"{largest:g}", "Train with weight decay.")
    return values.astype(np.float16)


def stored_type(packed: str | os.PathLike) -> str:
    """Returns the type in which a packed file stores its kernels: "float32" or "float16"."""
    types = set()
    with zipfile.ZipFile(packed) as archive, h5py.File(io.BytesIO(archive.read(_WEIGHTS)), "r") as weights:
        weights.visititems(lambda _, item: types.add(str(item.dtype)) if isinstance(item, h5py.Dataset) else None)
    return "float16" if "float16" in types else "float32"
