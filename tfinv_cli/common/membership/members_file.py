"""A file that says of each example whether the target was trained on it."""

import pathlib
from typing import Any

import numpy as np

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.membership.shadows.folder import read_array

_FILES = (".npy", ".npz")


def members_file(values: Any) -> pathlib.Path | None:
    """The file that --members names, or None where it names parts of the data set."""
    names = values.members or []
    return paths.expand(names[0]) if len(names) == 1 and names[0].lower().endswith(_FILES) else None


def read_members(file: pathlib.Path, count: int) -> np.ndarray:
    """Reads who was in: (n,) bool.

    Args:
      file: .npy, or .npz with the key members: 0 or 1 for each example.
      count: number of examples.

    Raises:
      UserError: it is missing, not whole, or has something else.
    """
    if file.suffix.lower() == ".npz":
        arrays = files.read_arrays(file, "a whole .npz file of plain arrays", "Change --members.")
        if "members" not in arrays:
            raise expected(f"the key members in {file}", ", ".join(sorted(arrays)) or "none", "Change --members.")
        array = arrays["members"]
    else:
        array = read_array(file)
    if array.shape != (count,) or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        received = f"{array.dtype} of shape {array.shape} in {file}"
        raise expected(f"members as {count} values of 0 and 1, one for each example", received, "Change --members.")
    return array.astype(bool)
