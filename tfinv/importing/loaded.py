"""`Loaded`: a model as its file holds it, before it becomes a `Classifier`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import keras

from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model as its file holds it: a Keras model, or a function of tensors.

    Attributes:
      model: a Keras model, or None.
      call: else a function from a float32 tensor in the form of `input_shape` to the outputs.
      input_shape: shape of its input without the batch, of which sizes may be None; for a function only.
      differentiable: False if no gradient flows through the function, so that none is looked for.
      notes: what was done to load it, each a phrase for reports.
      class_names: names of the classes in the order of the outputs, where the file has them.
      preprocessing: text form of the preprocessing that belongs to the model and is not part of it, where the file has it.
      bounds: the range of pixels that it takes, where the file says it and there is no preprocessing.
      image_size: (height, width) of the images, where the file says it and the model takes any.
    """

    model: keras.Model | None = None
    call: Callable[[Any], Any] | None = None
    input_shape: tuple[int | None, ...] = ()
    differentiable: bool = True
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    preprocessing: str | None = None
    bounds: tuple[float, float] | None = None
    image_size: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """Permissions and objects with which a model is read.

    Attributes:
      unsafe: whether to run code in the file.
      custom_objects: custom layers and functions that a Keras file refers to, by name.
    """

    unsafe: bool = False
    custom_objects: dict[str, Any] = dataclasses.field(default_factory=dict)


UNSAFE_HINT = "If you trust its author, pass --allow_unsafe_deserialization."


_SHORT = 20  # characters, fewer than which say little without the kind of the error
PICKLED = "it holds pickled objects, which can run any code: don't load it anywhere"
# Where Keras's errors begin to repeat the configuration, or to advise what a stranger's file must not be given.
_TAILS = re.compile(
    r"(Full object )?config\s*=|Full object config|Received: config|Full config|If you trust the source|by passing `safe_mode|"
    r"Please ensure (that components|you are using)|If .{1,60} is a custom class|If they are already decorated|"
    r"Make sure custom classes"
)


def innermost(error: BaseException) -> str:
    """Returns one line about the innermost cause of an error, of at most 300 characters, without Keras's advice."""
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        error = cause
    text = " ".join(str(error).split())
    if "pickle" in text.lower():
        return PICKLED
    text = text.rpartition("Exception encountered: ")[2]
    text = _TAILS.split(text)[0].rstrip(" .,:;(")
    return f"{type(error).__name__} {text}".strip() if len(text) < _SHORT else text[:300]


def damaged(expectation: str, path: Any, error: BaseException, hint: str = "Save it again.") -> Exception:
    """Returns (does not raise) the error for a file that can't be read."""
    return expected(expectation, f"{path} ({innermost(error)})", hint)
