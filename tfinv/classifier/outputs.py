"""Outputs of a model: choosing one, trying a function on sample images, and telling logits from probabilities."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier import graphs
from tfinv.classifier.graphs import Function
from tfinv.errors import UserError, expected

NamedOutputs = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Head:
    """The logits of a model.

    Attributes:
      logits: the function from images to logits.
      num_classes: K.
      source: how the logits are obtained, as a phrase for reports.
      parts: the graphs that compute the logits, each from the output of the one before; empty if the model cannot be traced.
      notes: how its outputs are read, each a phrase for reports.
    """

    logits: Function
    num_classes: int
    source: str
    parts: tuple[graphs.Graph, ...] = ()
    notes: tuple[str, ...] = ()


def as_float(x: Any) -> tf.Tensor:
    """Casts a tensor to float32."""
    return tf.cast(x, tf.float32)


def named_outputs(structure: Any, names: list[str] | None = None) -> NamedOutputs:
    """Returns the tensors in a structure of outputs by name: keys of dictionaries, else `names` or the place in the list."""
    paths = keras.tree.flatten_with_path(structure)
    if len(paths) == 1 and not paths[0][0]:
        return {(names or ["0"])[0]: paths[0][1]}
    keys = [".".join(str(part) for part in path) for path, _ in paths]
    # Layers have names, places in a list are only numbers.
    if names and len(names) == len(set(names)) == len(keys) and all(key.isdecimal() for key in keys):
        keys = names
    return {key: tensor for key, (_, tensor) in zip(keys, paths, strict=True)}


def choose(outputs: NamedOutputs, output: str | int | None) -> str:
    """Returns the name of the output that classifies.

    Args:
      outputs: by name.
      output: its name or place; None if there is only one.

    Raises:
      UserError: there are several and none is chosen, or there is no such output.
    """
    names = list(outputs)
    if output is None and len(names) == 1:
        return names[0]
    if output in names:
        return str(output)
    place = _place(output)
    if place is not None and -len(names) <= place < len(names):
        return names[place]
    listed = ", ".join(f"{name} of shape {_shape(tensor)}" for name, tensor in outputs.items())
    if output is not None:
        expectation, received = f"the name or place of an output: {listed}", repr(output)
    else:
        expectation, received = (
            "a model with one output, or the name of the one that classifies",
            f"{len(names)}: {listed}",
        )
    raise expected(expectation, received, f"Pass --output=NAME or output=, one of {', '.join(names)}.")


def _place(output: str | int | None) -> int | None:
    try:
        return None if output is None else int(output)
    except ValueError:
        return None


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape)


def as_rows(scores: Any) -> Any:
    """Returns an output as (n, K), without axes of size 1.

    Raises:
      UserError: there is more than one axis of classes, as in a map; or it is the number of a class.
    """
    shape = _shape(scores)
    dtype = keras.backend.standardize_dtype(scores.dtype)
    if not keras.backend.is_float_dtype(dtype) and all(size == 1 for size in shape[1:]):
        raise expected(
            "scores of the classes",
            f"an output of shape {shape} and type {dtype}: the number of a class",
            "End the model before its argmax: keras.Model(model.inputs, scores), where scores is what argmax takes.",
        )
    if len(shape) == 2:
        return scores
    sizes = [size for size in shape[1:] if size != 1]
    if not shape or len(sizes) > 1 or None in sizes:
        pool = f"Average it: keras.Sequential([model, keras.layers.GlobalAveragePooling{len(shape) - 2}D()])."
        hint = pool if 3 <= len(shape) <= 5 else "Flatten or pool the output."
        if len(shape) == 3:
            hint = f"If these are the steps of a text, the model reads text and is no classifier of images; otherwise: {hint}"
        raise expected("one row of scores an image", f"an output of shape {shape}", hint)
    form = (-1, *(sizes or [1]))
    # Not by TensorFlow for an array, which a black box returns inside a TensorFlow call.
    return scores.reshape(form) if isinstance(scores, np.ndarray) else keras.ops.reshape(scores, form)


def rows_notes(scores: Any) -> tuple[str, ...]:
    """A phrase for reports about an output that `as_rows` changes; none for one that it doesn't."""
    shape = _shape(scores)
    if len(shape) == 2:
        return ()
    return (f"output of shape {shape} read as rows of scores, without axes of size 1",)


def failure(error: Exception, shape: tuple[int, ...], hint: str) -> UserError:
    """Returns (does not raise) the error for a model that fails on images of this shape."""
    reason = [line for line in str(error).strip().splitlines() if line][:1]
    received = f"{type(error).__name__}: {reason[0] if reason else ''}".rstrip(". ")
    return expected(f"a classifier of images of shape {shape}", received, hint)


def sample_outputs(fn: Function, images: np.ndarray) -> np.ndarray:
    """Returns the (n, K) float32 outputs of a function for a few images.

    Raises:
      UserError: the function fails, or does not return a row of finite scores per image.
    """
    try:
        outputs = np.asarray(as_float(fn(tf.constant(images))))
    except UserError:
        raise
    except Exception as error:  # user code may raise anything, and the user has to see it
        hint = "Change the model, or input_shape= or num_classes= for a function."
        raise failure(error, images.shape, hint) from error
    if outputs.ndim != 2 or len(outputs) != len(images) or not outputs.shape[1]:
        raise expected(
            "one row of scores an image", f"an output of shape {outputs.shape}", "Flatten or pool the output."
        )
    if not np.isfinite(outputs).all():
        raise expected("finite outputs", "NaN or infinity for noise images within the bounds", "Retrain the model.")
    return outputs


def has_outputs(fn: Function, images: np.ndarray, outputs: np.ndarray) -> bool:
    """Whether a function returns these outputs for the images, up to the rounding of half precision.

    Probabilities are compared by their logarithms: with a hundred classes, all of them may be small.
    """
    try:
        values = sample_outputs(fn, images)
    except UserError:  # as when a graph was built for one batch size
        return False
    rounding = 0.0
    if are_probabilities(outputs):
        least = 0.01 / outputs.shape[1]
        values, outputs = (np.log(np.maximum(p, least)) for p in (values, outputs))
        rounding = 0.006
    return values.shape == outputs.shape and np.allclose(
        values, outputs, rtol=0.02, atol=max(0.02 * np.ptp(outputs), rounding)
    )


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether all rows are within [0, 1] and sum to one, up to the rounding of half precision."""
    return within_unit(outputs) and np.allclose(outputs.sum(axis=1), 1, atol=0.01)


def within_unit(outputs: np.ndarray) -> bool:
    """Whether all outputs are within [0, 1]."""
    return bool((outputs >= 0).all() and (outputs <= 1).all())


def check_declared(outputs: Any) -> None:
    """Raises UserError unless `outputs` is None, "logits" or "probabilities"."""
    if outputs not in (None, "logits", "probabilities"):
        raise expected('"logits" or "probabilities"', repr(outputs), "Change outputs= or --outputs.")
