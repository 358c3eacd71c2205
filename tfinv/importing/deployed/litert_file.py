"""A look into a .tflite file beside its runtime: operations, quantisation, and TFLite Metadata with its files.

Sources of the positions: tensorflow/compiler/mlir/lite/schema/schema.fbs, and tensorflow_lite_support/metadata/metadata_schema.fbs.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import zipfile

import numpy as np
from flatbuffers import number_types as kinds

from tfinv.importing.deployed.flatbuffer import Table

_CUSTOM, _READ_VARIABLE, _ASSIGN_VARIABLE = 32, 143, 144
_NAMES = {
    6: "dequantize", 14: "logistic", 22: "reshape", 25: "softmax", 43: "squeeze", 50: "log_softmax", 53: "cast", 114: "quantize",
}  # fmt: skip
_FORMS = ("dequantize", "reshape", "squeeze", "cast", "quantize")
# Tensor types that hold quantised numbers.
_TYPES: dict[int, type[np.integer]] = {3: np.uint8, 7: np.int16, 9: np.int8}
_LABELS = (2, 3)  # of a tensor's axis, of its values
_NORMALIZATION = 1
_MOST_BYTES = 2**22  # of a label file


@dataclasses.dataclass(frozen=True)
class Quantisation:
    """Integers in place of real numbers: (q - zero_point) * scale.

    Attributes:
      dtype: of the integers.
      scale: above 0.
      zero_point: the integer of 0.
    """

    dtype: type[np.integer]
    scale: float
    zero_point: int

    @property
    def levels(self) -> int:
        """How many numbers there are."""
        return int(np.iinfo(self.dtype).max) - int(np.iinfo(self.dtype).min) + 1

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest number."""
        limits = np.iinfo(self.dtype)
        return (limits.min - self.zero_point) * self.scale, (limits.max - self.zero_point) * self.scale


class LiteRTFile:
    """A .tflite file as data.

    Args:
      content: the bytes of the file.

    A method raises ValueError, IndexError, TypeError or struct.error where the file is damaged.
    """

    def __init__(self, content: bytes):
        self._content = content
        self._model = Table(content)

    @functools.cached_property
    def _codes(self) -> list[tuple[int, str]]:
        """The builtin code and the custom name of each kind of operation."""
        return [
            (max(code.number(0, kinds.Int8Flags), code.number(3, kinds.Int32Flags)), code.text(1))
            for code in self._model.tables(1)
        ]

    @functools.cached_property
    def _graph(self) -> Table:
        return self._model.tables(2)[0]

    @functools.cached_property
    def _tensors(self) -> list[Table]:
        return self._graph.tables(0)

    @functools.cached_property
    def _operators(self) -> list[tuple[int, list[int], list[int]]]:
        """Kind, inputs and outputs of each operation of the first graph."""
        return [
            (
                operator.number(0, kinds.Uint32Flags),
                operator.numbers(1, kinds.Int32Flags).tolist(),
                operator.numbers(2, kinds.Int32Flags).tolist(),
            )
            for operator in self._graph.tables(3)
        ]

    @property
    def custom_operations(self) -> list[str]:
        """Names of operations that the format itself doesn't have."""
        return sorted({name or "without a name" for code, name in self._codes if code == _CUSTOM})

    @property
    def keeps_weights_elsewhere(self) -> bool:
        """Whether it refers to other files for its weights."""
        return bool(self._model.tables(8) or self._model.tables(9))

    @property
    def has_variables_without_values(self) -> bool:
        """Whether it reads variables that nothing in it assigns, so that LiteRT computes with whatever is in the memory.

        `TFLiteConverter.from_concrete_functions([function], model)` writes such a file for a Keras 3 model, and says nothing.
        """
        codes = {code for code, _ in self._codes}
        return _READ_VARIABLE in codes and _ASSIGN_VARIABLE not in codes

    @functools.cached_property
    def output_names(self) -> dict[int, str]:
        """Names of the outputs in the only signature, by the number of the tensor; empty if there is not one."""
        signatures = self._model.tables(7)
        if len(signatures) != 1:
            return {}
        return {entry.number(1, kinds.Uint32Flags): entry.text(0) for entry in signatures[0].tables(1)}

    def ending(self, tensor: int) -> tuple[tuple[str, ...], Quantisation | None]:
        """Returns the last operations before a tensor, from it backwards, and how it is quantised, or was before it became real."""
        names: list[str] = []
        quantisation = self.quantisation(tensor)
        makers = {
            output: (self._codes[kind][0], inputs) for kind, inputs, outputs in self._operators for output in outputs
        }
        while tensor in makers and len(names) < len(makers):
            code, inputs = makers[tensor]
            names.append(_NAMES.get(code, "other"))
            if names[-1] not in _FORMS or not inputs:
                break
            tensor = inputs[0]
            quantisation = quantisation or self.quantisation(tensor)
        return tuple(names), quantisation

    def beginning(self, tensor: int) -> Quantisation | None:
        """Returns how an input is quantised, at once or by the first operation."""
        takers = [(self._codes[kind][0], outputs) for kind, inputs, outputs in self._operators if tensor in inputs]
        if len(takers) == 1 and _NAMES.get(takers[0][0]) == "quantize" and takers[0][1]:
            return self.quantisation(tensor) or self.quantisation(takers[0][1][0])
        return self.quantisation(tensor)

    def quantisation(self, tensor: int) -> Quantisation | None:
        """Returns how a tensor is quantised; None if it isn't, or by channels."""
        table = self._tensors[tensor]
        parameters, dtype = table.table(4), _TYPES.get(table.number(1, kinds.Int8Flags))
        if parameters is None or dtype is None:
            return None
        scale, zero_point = parameters.numbers(2, kinds.Float32Flags), parameters.numbers(3, kinds.Int64Flags)
        if len(scale) != 1 or not (np.isfinite(scale[0]) and scale[0] > 0):
            return None
        return Quantisation(dtype, float(scale[0]), int(zero_point[0]) if len(zero_point) else 0)

    @functools.cached_property
    def _metadata(self) -> Table | None:
        """The first graph's part of the metadata."""
        buffers = self._model.tables(4)
        for entry in self._model.tables(6):
            if entry.text(0) == "TFLITE_METADATA":
                content = buffers[entry.number(1, kinds.Uint32Flags)].numbers(0, kinds.Uint8Flags).tobytes()
                graphs = Table(content).tables(3) if content else []
                return graphs[0] if graphs else None
        return None

    @property
    def normalisation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and deviation, one or one a channel, by which pixels from 0 to 255 are normalised; None if it doesn't say."""
        inputs = self._metadata.tables(2) if self._metadata else []
        for unit in inputs[0].tables(4) if inputs else []:
            options = unit.table(1)
            if unit.number(0, kinds.Uint8Flags) == _NORMALIZATION and options is not None:
                mean, std = (options.numbers(slot, kinds.Float32Flags).astype(np.float64) for slot in (0, 1))
                if len(std) and np.all(std != 0) and np.isfinite([*mean, *std]).all():
                    return (mean if len(mean) else np.zeros(1)), std
        return None

    @property
    def labels(self) -> str | None:
        """Text of the label file of an output, or of the only text file, in the archive at the end; None if there is none."""
        outputs = self._metadata.tables(3) if self._metadata else []
        names = [
            file.text(0)
            for output in outputs
            for file in output.tables(6)
            if file.number(2, kinds.Int8Flags) in _LABELS
        ]
        try:
            with zipfile.ZipFile(io.BytesIO(self._content)) as archive:
                members = {member.filename: member for member in archive.infolist()}
                texts = [name for name in members if name.endswith(".txt")]
                name = next((name for name in names if name in members), texts[0] if len(texts) == 1 else None)
                if name is None or members[name].file_size > _MOST_BYTES:
                    return None
                return archive.read(name).decode("utf-8-sig", "replace")
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
            return None
