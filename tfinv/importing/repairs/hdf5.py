"""Reading HDF5 files of strangers: only what lies in the file itself, and no arrays that it does not have."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from tfinv.importing.repairs.context import Unrepairable

# An array larger than this must be stored, not declared: Keras has the same two limits.
_LARGE, _EXPANSION = 1 << 32, 1000


def check(group: h5py.Group) -> None:
    """Checks that a file refers to no other one.

    Raises:
      Unrepairable: it has links, or arrays that lie elsewhere or are declared without being stored.
    """
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Unrepairable(f"the link {name} to another place or file")
        item = group[name]
        if isinstance(item, h5py.Group):
            check(item)
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise Unrepairable(f"the array {name}, which lies in another file")
            size = math.prod(item.shape or ()) * item.dtype.itemsize
            if size > _LARGE and size > _EXPANSION * item.id.get_storage_size():
                raise Unrepairable(f"the array {name}, which declares more than the file has")


def strings(group: h5py.Group, name: str) -> list[str]:
    """A list of names that Keras keeps as an attribute, or as several where it is long ("weight_names0", ...)."""
    if name in group.attrs:
        values = list(group.attrs[name])
    else:
        values, part = [], 0
        while f"{name}{part}" in group.attrs:
            values += list(group.attrs[f"{name}{part}"])
            part += 1
    return [text(value) for value in values]


def text(value: Any) -> str:
    """A string that may be bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def arrays(group: h5py.Group) -> list[tuple[str, np.ndarray]]:
    """The weights in a layer's group in their order, with their names."""
    return [(name, np.asarray(group[name])) for name in strings(group, "weight_names")]
