"""Fields of a FlatBuffers table by their position in its schema, for the parts of a .tflite file that its runtime doesn't show."""

from __future__ import annotations

from typing import Any

import numpy as np
from flatbuffers import number_types
from flatbuffers.table import Table as _Table


class Table:
    """A table in untrusted bytes.

    Args:
      content: the whole buffer.
      position: of the table; None for the root.

    A method raises ValueError, IndexError, TypeError or struct.error for bytes that are no such table.
    """

    def __init__(self, content: bytes, position: int | None = None):
        self._table = _Table(content, 0 if position is None else position)
        if position is None:
            self._table.Pos = self._table.Get(number_types.UOffsetTFlags, 0)

    def _offset(self, slot: int) -> int:
        """Offset of a field; 0 if it is absent."""
        return self._table.Offset(4 + 2 * slot)

    def number(self, slot: int, kind: Any, default: int = 0) -> int:
        """A number of one of the types in `flatbuffers.number_types`."""
        offset = self._offset(slot)
        return self._table.Get(kind, offset + self._table.Pos) if offset else default

    def text(self, slot: int) -> str:
        """A string; empty if it is absent."""
        offset = self._offset(slot)
        return self._table.String(offset + self._table.Pos).decode("utf-8", "replace") if offset else ""

    def numbers(self, slot: int, kind: Any) -> np.ndarray:
        """A vector of numbers; empty if it is absent."""
        offset = self._offset(slot)
        return self._table.GetVectorAsNumpy(kind, offset) if offset else np.zeros(0, number_types_of(kind))

    def table(self, slot: int) -> Table | None:
        """A table, or the value of a union, whose type is in the slot before."""
        offset = self._offset(slot)
        return Table(self._table.Bytes, self._table.Indirect(offset + self._table.Pos)) if offset else None

    def tables(self, slot: int) -> list[Table]:
        """A vector of tables."""
        offset = self._offset(slot)
        if not offset:
            return []
        length, start = self._table.VectorLen(offset), self._table.Vector(offset)
        if start + 4 * length > len(self._table.Bytes):
            raise ValueError(f"a vector of {length} tables goes beyond the end")
        return [Table(self._table.Bytes, self._table.Indirect(start + 4 * i)) for i in range(length)]


def number_types_of(kind: Any) -> Any:
    """The NumPy type of one of the types in `flatbuffers.number_types`."""
    return number_types.to_numpy_type(kind)
