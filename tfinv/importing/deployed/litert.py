"""Reads a .tflite file as a black box, run by LiteRT, the successor of `tf.lite.Interpreter`.

Such a file is a graph of operations that only compute: it can name no library. What the runtime doesn't have is refused.
"""

from __future__ import annotations

import pathlib
import struct
from typing import Any

import numpy as np

from tfinv.errors import UserError, expected
from tfinv.importing.deployed import black_box
from tfinv.importing.deployed.description import describe, line_names
from tfinv.importing.deployed.litert_file import LiteRTFile, Quantisation
from tfinv.importing.loaded import Loaded, ReadOptions, damaged, innermost

_DAMAGED = (ValueError, IndexError, TypeError, KeyError, AttributeError, struct.error)
_PIXELS = (0.0, 255.0)
_FLEX = "Flex"  # before the name of an operation of TensorFlow
_ROUGHLY = 0.02  # of the width of a range
_SAVE = "Convert it again: tf.lite.TFLiteConverter.from_keras_model(model).convert()."


def read(path: pathlib.Path, options: ReadOptions) -> Loaded:
    """Reads a .tflite file.

    Args:
      path: the file.
      options: not needed, since the file can hold no code.

    Raises:
      UserError: LiteRT isn't installed; the file is damaged, has operations that LiteRT lacks, or more than one input.
    """
    litert = black_box.runtime("ai_edge_litert.interpreter", "ai-edge-litert", "litert", path)
    content = path.read_bytes()
    try:
        file = LiteRTFile(content)
        custom, elsewhere = file.custom_operations, file.keeps_weights_elsewhere
        empty = file.has_variables_without_values
    except _DAMAGED as error:
        raise damaged("a whole .tflite file", path, error, _SAVE) from error
    if elsewhere:
        raise expected("a .tflite file that holds its weights", f"{path}, which has them in another file", _SAVE)
    if empty:
        raise expected("a .tflite file with its weights", f"{path}, which reads variables that have no value", _SAVE)
    runner = _runner(litert, content, path, custom)
    try:
        return _describe(file, runner)
    except UserError:
        raise
    except _DAMAGED as error:
        raise damaged("a whole .tflite file", path, error, _SAVE) from error


def _runner(litert: Any, content: bytes, path: pathlib.Path, custom: list[str]) -> _Runner:
    """The model in LiteRT.

    Raises:
      UserError: LiteRT refuses it, or it has several inputs.
    """
    try:
        if any(name.startswith(_FLEX) for name in custom):
            raise ValueError("operations of TensorFlow")
        runner = _Runner(litert, content)
        if runner.inputs == 1 and all(runner.shape):  # some operations are missed only when they are run
            runner.one_size(np.zeros([1, *(size or 1 for size in runner.shape)], np.float32))
    except Exception as error:  # the runtime raises ValueError and RuntimeError, whatever is wrong
        if custom:
            raise expected(
                "a .tflite file of the operations of LiteRT",
                f"{path} with {', '.join(custom)}, which need other libraries",
                "Convert it without tf.lite.OpsSet.SELECT_TF_OPS and custom operations, or pass the model that it was made from.",
            ) from error
        raise expected("a .tflite file that LiteRT can run", f"{path} ({innermost(error)})", _SAVE) from error
    if runner.inputs != 1:
        raise expected(
            "a .tflite file with one input", f"{path} with {runner.inputs}", "Convert a model with one input."
        )
    return runner


def _describe(file: LiteRTFile, runner: _Runner) -> Loaded:
    """The model as its file describes it, with the function that predicts."""
    quantisation, dtype = file.beginning(runner.input_detail["index"]), runner.input_detail["dtype"]
    preprocessing = _preprocessing(file)
    return describe(
        runner,
        [_output(file, detail) for detail in runner.output_details],
        runtime=f"a .tflite file, run by LiteRT {black_box.version('ai-edge-litert')}",
        class_names=line_names(file.labels or ""),
        source="the labels in the file",
        notes=_input_notes(quantisation, dtype),
        preprocessing=preprocessing,
        bounds=_bounds(file, quantisation, dtype) if preprocessing is None else None,
    )


def _output(file: LiteRTFile, detail: dict[str, Any]) -> black_box.Output:
    operations, quantisation = file.ending(detail["index"])
    name = file.output_names.get(detail["index"], detail["name"])
    levels = quantisation.levels if quantisation else None
    is_whole = levels is None and np.issubdtype(detail["dtype"], np.integer)
    return black_box.Output(name, _sizes(detail), operations, levels, is_whole)


def _sizes(detail: dict[str, Any]) -> black_box.Shape:
    """Sizes of a tensor without the batch; None for one that may vary."""
    signature = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    return tuple(int(size) if size > 0 else None for size in signature[1:])


def _preprocessing(file: LiteRTFile) -> str | None:
    """Text form of the normalisation in the metadata; None if there is none, or it changes nothing."""
    numbers = file.normalisation
    if numbers is None or _is_identity(*numbers):
        return None
    mean, std = (",".join(f"{value:.7g}" for value in values) for values in numbers)
    return f"mean={mean},std={std}" if numbers[0].any() else f"divide={std}"


def _is_identity(mean: np.ndarray, std: np.ndarray) -> bool:
    return not mean.any() and bool(np.all(std == 1))


def _bounds(file: LiteRTFile, quantisation: Quantisation | None, dtype: Any) -> tuple[float, float] | None:
    """The usual range of pixels that the metadata, or the numbers of a quantised input, stand for; None if it is none."""
    if file.normalisation is not None or (quantisation is None and np.issubdtype(dtype, np.integer)):
        return _PIXELS
    if quantisation is None or quantisation.dtype is np.int16:  # which is symmetric, whatever the pixels are
        return None
    low, high = quantisation.range
    for bounds in ((0.0, 1.0), _PIXELS, (-1.0, 1.0)):
        if max(abs(low - bounds[0]), abs(high - bounds[1])) <= _ROUGHLY * (bounds[1] - bounds[0]):
            return bounds
    return None


def _input_notes(quantisation: Quantisation | None, dtype: Any) -> list[str]:
    if quantisation is not None:
        low, high = quantisation.range
        levels = f"{quantisation.levels:,} levels from {low:.4g} to {high:.4g}"
        return [f"images are rounded to the {levels} of the model's {quantisation.dtype.__name__} input"]
    return black_box.rounding_notes(dtype)


class _Runner:
    """The model in interpreters, one for each size of batch, since a change of the size prepares everything anew.

    Args:
      litert: the module of the interpreter.
      content: the bytes of the file.

    Attributes:
      input_detail: of the first input, as LiteRT describes it.
      output_details: of the outputs.
      inputs: how many there are.
      shape: of one image.
      size: of the file's own batch.
    """

    def __init__(self, litert: Any, content: bytes):
        self._litert, self._content, self._threads = litert, content, black_box.threads()
        self._interpreters: dict[Any, Any] = {}  # by size and shape
        interpreter = self._created()
        inputs = interpreter.get_input_details()
        self.input_detail, self.inputs = inputs[0], len(inputs)
        self.output_details = interpreter.get_output_details()
        self.shape = _sizes(self.input_detail)
        self.size = max(1, int(self.input_detail["shape"][0])) if len(self.input_detail["shape"]) else 1

    def any_number(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts with interpreters for several images at once: (n, ...) float32 to the outputs."""
        x, start, parts = self._quantised(x), 0, []
        for size in black_box.powers(len(x), black_box.most_at_once(x.shape[1:])):
            parts.append(self._run(self._interpreter(size, x.shape[1:]), x[start : start + size]))
            start += size
        return black_box.joined(parts)

    def one_size(self, x: np.ndarray) -> list[np.ndarray]:
        """Predicts as `any_number` does, in batches of the file's own size."""
        interpreter = self._interpreter(None, None if None not in self.shape else x.shape[1:])
        return black_box.in_batches_of(self.size, self._quantised(x), lambda batch: self._run(interpreter, batch))

    def _interpreter(self, size: int | None, shape: tuple[int, ...] | None) -> Any:
        """An interpreter that is ready for batches of a size; None for that of the file."""
        key = (size, shape)
        if key not in self._interpreters:
            interpreter = self._created()
            with black_box.quiet():
                if shape is not None:
                    index = interpreter.get_input_details()[0]["index"]
                    interpreter.resize_tensor_input(index, (size or self.size, *shape))
                interpreter.allocate_tensors()
            self._interpreters[key] = interpreter
        return self._interpreters[key]

    def _created(self) -> Any:
        """An interpreter that knows the tensors, and isn't ready: one for images of any size may not run with those of the file."""
        with black_box.quiet():
            return self._litert.Interpreter(model_content=self._content, num_threads=self._threads)

    def _quantised(self, x: np.ndarray) -> np.ndarray:
        dtype = self.input_detail["dtype"]
        if not np.issubdtype(dtype, np.integer):
            return x.astype(dtype, copy=False)
        scale, zero_point = _scale(self.input_detail)
        return black_box.as_integers(x, dtype, scale, zero_point)

    def _run(self, interpreter: Any, batch: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(self.input_detail["index"], batch)
        interpreter.invoke()
        return [_real(interpreter.get_tensor(detail["index"]), detail) for detail in self.output_details]


def _scale(detail: dict[str, Any]) -> tuple[float, int]:
    """Scale and zero point of a tensor; 1 and 0 if it isn't quantised."""
    parameters = detail["quantization_parameters"]
    if len(parameters["scales"]) != 1:
        return 1.0, 0
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])


def _real(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """(q - zero_point) * scale in float32."""
    if not np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float32)
    scale, zero_point = _scale(detail)
    return (array.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
