"""`ArrayFile`: a .npy file of one shadow's logits or margins, of which a few rows at a time are in memory."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class ArrayFile:
    """An array on disk. Each access maps the file, copies the rows, and unmaps it, so that pages don't pile up in memory.

    Attributes:
      path: of the .npy file.
      dtype: of its numbers.
      shape: of the array; logits (n, K) of one query read as (n, 1, K).
      offset: bytes before the first number.
      order: "C" or "F".
      stored_shape: as it is in the file.
    """

    path: pathlib.Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int
    order: Any
    stored_shape: tuple[int, ...]

    @classmethod
    def open(cls, path: pathlib.Path) -> "ArrayFile":
        """Reads the header.

        Raises:
          UserError: the file is missing, not whole, not .npy, needs code to be read, or has no real numbers.
        """
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise expected("a whole .npy file", f"{path} ({error})", "Write it again.") from error
        if not isinstance(array, np.memmap) or array.dtype.kind not in "fiub" or array.ndim < 1:
            raise expected("a .npy file of real numbers", f"{path}", "Write it with numpy.save.")
        order = "C" if array.flags.c_contiguous else "F"
        return cls(path, array.dtype, array.shape, array.offset, order, array.shape)

    def with_query(self) -> "ArrayFile":
        """Logits (n, K) as those of one query, (n, 1, K); others as they are."""
        if len(self.shape) != 2:
            return self
        return dataclasses.replace(self, shape=(self.shape[0], 1, self.shape[1]))

    def __getitem__(self, rows: Any) -> np.ndarray:
        array = np.memmap(self.path, self.dtype, "r", self.offset, self.stored_shape, self.order)
        values = np.array(array[rows])
        return values.reshape(len(values), *self.shape[1:])
