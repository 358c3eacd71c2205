"""`ArrayFile`: a .npy file of one shadow's logits or margins, of which a few rows at a time are in memory."""

import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class ArrayFile:
    """An array on disk. Each access reads its rows alone, and leaves no mapped pages that pile up in memory.

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
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, in_columns, dtype = read(file)
                offset = file.tell()
            whole = path.stat().st_size >= offset + math.prod(shape) * dtype.itemsize
        except (OSError, ValueError, EOFError) as error:
            raise expected("a whole .npy file", f"{path} ({error})", "Write it again.") from error
        if not whole:
            raise expected("a whole .npy file", f"{path}, which ends early", "Write it again.")
        if dtype.kind not in "fiub" or len(shape) < 1:
            raise expected("a .npy file of real numbers", f"{path}", "Write it with numpy.save.")
        return cls(path, dtype, shape, offset, "F" if in_columns else "C", shape)

    def with_query(self) -> "ArrayFile":
        """Logits (n, K) as those of one query, (n, 1, K); others as they are."""
        if len(self.shape) != 2:
            return self
        return dataclasses.replace(self, shape=(self.shape[0], 1, self.shape[1]))

    def __getitem__(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice) and self.order == "C":
            start, stop, step = rows.indices(self.shape[0])
            if step == 1 and start < stop:
                return self._read(start, stop)
        array = np.memmap(self.path, self.dtype, "r", self.offset, self.stored_shape, self.order)
        values = np.array(array[rows])
        return values.reshape(len(values), *self.shape[1:])

    def _read(self, start, stop):
        """Consecutive rows, in a third of the time that a mapping takes to be made and given up."""
        row = math.prod(self.shape[1:])
        offset = self.offset + start * row * self.dtype.itemsize
        values = np.fromfile(self.path, self.dtype, (stop - start) * row, offset=offset)
        return values.reshape(stop - start, *self.shape[1:])
