"""Models of other runtimes as black boxes: NumPy functions in a TensorFlow graph, through which no gradient flows.

The functions call no TensorFlow, so they can't wait for a thread that TensorFlow itself holds (see `Classifier.from_predict`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.metadata
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.errors import expected

Shape = tuple[int | None, ...]
# Pixels in one call of the runtime, so that the memory of its feature maps has a limit: some 25 images of 224 x 224.
_PIXELS = 2**22
_MOST = 256  # images in one call
_STANDARD_ERROR = threading.Lock()
_EXAMPLES = 3  # images that are predicted together and one by one, to see whether that is the same


@dataclasses.dataclass(frozen=True)
class Output:
    """An output of a model.

    Attributes:
      name: as the file calls it.
      shape: of one image; sizes may be None.
      operations: names of the last operations, in lower case, from the output on backwards.
      levels: how many values it can have, if it is quantised; None for real numbers.
      is_whole: whether it gives whole numbers that stand for nothing else, as an ArgMax does.
    """

    name: str
    shape: Shape
    operations: tuple[str, ...] = ()
    levels: int | None = None
    is_whole: bool = False

    @property
    def is_label(self) -> bool:
        """Whether it is the number of a class."""
        return self.is_whole and self.scores_shape in ((), (1,))

    @property
    def notes(self) -> tuple[str, ...]:
        """Phrases for reports."""
        independent = ("a sigmoid a class: its log-odds are the logits",) if self._is_sigmoid_a_class else ()
        if self.levels is None:
            return independent
        kind = {"softmax": "probabilities", "logistic": "probabilities"}.get(self._last, "scores")
        return (*independent, f"{kind} of {self.levels:,} levels: differences below one are lost, and ties are common")

    @property
    def _is_sigmoid_a_class(self) -> bool:
        return self._last == "logistic" and self.scores_shape not in ((), (1,))

    @property
    def _last(self) -> str:
        """The last operation that does more than change the form of its input."""
        return next((name for name in self.operations if name not in _FORMS), "")

    def scores(self, array: np.ndarray) -> np.ndarray:
        """Returns (n, K) float32 for an output of (n, ..., K) with all sizes 1 between; any other as float32.

        The rows of a quantised softmax are made to sum to one, as they did before they were rounded, which changes the logarithms
        of each by a constant. Sigmoids of several classes become their log-odds, with 0 and 1 read as half a level from there.
        """
        array = np.asarray(array, np.float32)
        if array.ndim > 2 and math.prod(array.shape[1:-1]) == 1:
            array = array.reshape(len(array), array.shape[-1])
        if self.levels is not None and self._last == "softmax" and array.ndim == 2:
            total = array.sum(axis=1, keepdims=True)
            array = np.divide(array, total, out=array.copy(), where=total > 0)
        if self._is_sigmoid_a_class:
            half = 0.5 / self.levels if self.levels else 2.0**-25  # of the level above 1/2 in float32
            p = np.clip(array.astype(np.float64), half if self.levels else np.finfo(np.float32).tiny, 1 - half)
            array = (np.log(p) - np.log1p(-p)).astype(np.float32)
        return array

    @property
    def scores_shape(self) -> Shape:
        """Shape of `scores` for one image."""
        inner = self.shape[:-1]
        return self.shape[-1:] if inner and all(size == 1 for size in inner) else self.shape


# Operations that change type or form alone, in the names of both file formats.
_FORMS = {
    "cast", "dequantize", "dequantizelinear", "flatten", "identity", "quantize", "quantizelinear", "reshape", "squeeze",
}  # fmt: skip


def runtime(module: str, package: str, install: str, path: Any) -> Any:
    """Imports the runtime of a kind of file.

    Args:
      module: its dotted name.
      package: the package that has it, for the error.
      install: the extra of tfinv that installs it.
      path: the file, for the error.

    Raises:
      UserError: it isn't installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise expected(
            f"the package {package} to run {path}",
            f"no such package ({error})",
            f"Install it: pip install 'tfinv[{install}]', or pip install {package}.",
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within the block, nothing is written to the file of standard error: LiteRT has no other way to be quiet."""
    with _STANDARD_ERROR:
        sys.stderr.flush()
        original, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, 2)
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            os.close(nothing)


def version(package: str) -> str:
    """The version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def rounding_notes(dtype: Any) -> list[str]:
    """Phrases for reports about an input in integers, or in half precision."""
    name = np.dtype(dtype).name
    if np.issubdtype(dtype, np.integer):
        return [f"images are rounded to whole numbers, for the model's {name} input"]
    return ["images are rounded to half precision, for the model's float16 input"] if name == "float16" else []


def threads() -> int:
    """How many threads TensorFlow takes for an operation, so that a runtime takes no more."""
    count = tf.config.threading.get_intra_op_parallelism_threads()
    text = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return count or (int(text) if text.isdigit() else 0) or cores


def as_integers(x: np.ndarray, dtype: Any, scale: float = 1.0, zero_point: int = 0) -> np.ndarray:
    """Rounds images to what an integer input can hold, as `round(x / scale) + zero_point`, with halves away from zero."""
    limits = np.iinfo(dtype)
    levels = x / np.float32(scale)
    levels = np.trunc(levels + np.copysign(np.float32(0.5), levels)) + zero_point
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def most_at_once(shape: Shape) -> int:
    """How many images of a shape to predict in one call: a power of two."""
    pixels = math.prod(size or 1 for size in shape)
    return max(1, min(_MOST, 2 ** int(math.log2(max(1, _PIXELS // max(1, pixels))))))


def powers(count: int, most: int) -> Iterator[int]:
    """Powers of two up to `most` whose sum is a count, the largest first: so there are few different sizes."""
    while count:
        size = min(most, 1 << (count.bit_length() - 1))
        yield size
        count -= size


def in_batches_of(size: int, x: np.ndarray, run: Callable[[np.ndarray], list[np.ndarray]]) -> list[np.ndarray]:
    """Runs a model that takes batches of one size alone; the last is filled up with its last image."""
    parts = []
    for start in range(0, len(x), size):
        batch = x[start : start + size]
        missing = size - len(batch)
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        parts.append([array[: len(batch)] for array in run(filled)])
    return joined(parts)


def joined(parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Returns the outputs of several batches as those of one."""
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)] if len(parts) > 1 else list(parts[0])


def takes_batches(
    many: Callable[[np.ndarray], list[np.ndarray]], single: Callable[[np.ndarray], list[np.ndarray]], shape: Shape
) -> bool:
    """Whether a function of any number of images gives what one gives that takes them as the model's file says.

    A file for one image may have that number in it, in a reshape. Then the runtime fails, or mixes the images.

    Args:
      many: from (n, ...) float32 images to the outputs.
      single: the same.
      shape: of one image; a None is taken for 64.
    """
    rng = np.random.default_rng(0)
    for high in (1.0, 255.0):  # a model of one range may see nothing in the other
        x = rng.uniform(0, high, (_EXAMPLES, *(size or 64 for size in shape))).astype(np.float32)
        try:
            pairs = list(zip(many(x), single(x), strict=True))
        except Exception:  # runtimes raise whatever they like
            return False
        if not all(a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-4 * np.ptp(b) + 1e-7) for a, b in pairs):
            return False
    return True


def tensor_function(
    predict: Callable[[np.ndarray], list[np.ndarray]], outputs: Sequence[Output]
) -> Callable[[Any], Any]:
    """Returns a function of tensors.

    Args:
      predict: from (n, ...) float32 images to an array for each output. It is called by one thread at a time.
      outputs: of the model.

    Returns:
      From float32 images to the scores by the name of the output, or to those of the only one.
    """
    lock = threading.Lock()

    def scores(x: np.ndarray) -> list[np.ndarray]:
        if not len(x):
            return [np.zeros((0, *(size or 0 for size in output.scores_shape)), np.float32) for output in outputs]
        with lock:
            arrays = predict(x)
        return [output.scores(array) for output, array in zip(outputs, arrays, strict=True)]

    def call(x: Any) -> Any:
        # Flat, since for one output it is a list in a graph, and a tensor elsewhere.
        arrays = tf.nest.flatten(tf.numpy_function(scores, [x], [tf.float32] * len(outputs)))
        tensors = {o.name: tf.ensure_shape(a, (None, *o.scores_shape)) for o, a in zip(outputs, arrays, strict=True)}
        return tensors if len(tensors) > 1 else tensors[outputs[0].name]

    return call
