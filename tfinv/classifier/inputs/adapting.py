"""Adapts a Keras model: a model of one output that takes float32 images (n, H, W, C) for any n, with the same weights.

A model that is so already is returned as it is. Another one is built anew from its own layers, so that gradients and features
are those of its layers; one whose operations can't be moved to such an input is called as a function.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier import graphs, validation
from tfinv.classifier.gradients import has_input_gradient
from tfinv.classifier.inputs.front import Front, Sizes, Wishes, make_front
from tfinv.classifier.outputs import as_rows, choose, failure, named_outputs, rows_notes, sample_outputs
from tfinv.errors import UserError, expected

_PIXELS = (0.0, 255.0)


@dataclasses.dataclass(frozen=True)
class Adapted:
    """A model as a function of images.

    Attributes:
      model: a Keras model from (n, H, W, C) float32 to (n, K), or a function where it can't be one.
      shape: (H, W, C).
      bounds: the range of its pixels.
      notes: what was done, each a phrase for reports.
    """

    model: Any
    shape: validation.Shape
    bounds: validation.Bounds
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """The input of a model.

    Attributes:
      shape: without the batch; None for sizes that are free.
      dtype: its type.
      batch: the only number of images that it takes, or None.
      key: of a model that takes a dictionary.
    """

    shape: Sizes
    dtype: str
    batch: int | None
    key: str | None = None

    def pack(self, x: Any) -> Any:
        """Returns a tensor in the structure that the model takes."""
        return x if self.key is None else {self.key: x}

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers."""
        return "int" in self.dtype


def adapt(model: Any, bounds: Any, output: str | int | None, wishes: Wishes) -> Adapted:
    """Adapts a Keras model.

    Args:
      model: a built Keras model.
      bounds: the range of its pixels; None for 0 to 255 if it takes whole numbers, else 0 to 1.
      output: name or place of the output that classifies; None if there is only one.
      wishes: what is to be done to the images.

    Raises:
      UserError: it is no built Keras model of images, or has several inputs or outputs.
    """
    source = _source(model)
    front = make_front(source.shape, source.dtype, wishes)
    notes = list(front.notes)
    if bounds is None:
        bounds = _PIXELS if source.whole else (0.0, 1.0)
        notes += [f"pixels from 0 to 255, since its input is {source.dtype}"] * source.whole
    bounds = validation.check_bounds(bounds)
    images = validation.noise(front.shape, bounds)
    functional = graphs.is_functional(model)
    outputs = _functional_outputs(model) if functional else _called_outputs(model, source, front(tf.constant(images)))
    name = choose(outputs, output) if outputs else ""
    if outputs:
        notes += [f"output {name} of {', '.join(outputs)}"] * (len(outputs) > 1)
        notes += rows_notes(outputs[name])
        if None not in source.shape:
            as_rows(outputs[name])  # raises if it is no row of scores
    if source.dtype in ("float16", "bfloat16"):
        notes.append(f"pixels rounded to {source.dtype}, the type of its input")
    moved = source.whole or source.batch is not None
    plain = not front.steps and None not in source.shape and not moved
    if plain and (not outputs or (len(outputs) == 1 and len(outputs[name].shape) == 2)):
        return Adapted(model, front.shape, bounds, tuple(notes))

    def call(x: Any) -> Any:
        """The output for an input of the model's own form."""
        named = named_outputs(model(source.pack(x), training=False), _names(model))
        return as_rows(named[choose(named, output)])

    graph = graphs.Graph(model.inputs[0], outputs[name]) if functional else None
    rebuilt = _rebuild(front, source, graph, call)
    if moved:
        rebuilt, movement = _moved(rebuilt, front, source, call, images)
        notes += movement
    return Adapted(rebuilt, front.shape, bounds, tuple(notes))


def _rebuild(
    front: Front, source: Source, graph: graphs.Graph | None, call: Callable[[Any], Any]
) -> keras.Model | None:
    """The model with its front, as one graph; None if its operations fail on such an input."""
    symbol = keras.Input(front.shape, name="images")
    x = front(symbol)
    if "float" in source.dtype:
        x = keras.ops.cast(x, source.dtype) if source.dtype != x.dtype else x
    elif graph is None:  # the model itself would cast it, without a gradient
        return None
    try:
        return keras.Model(symbol, as_rows(graphs.replay(graph, x)) if graph is not None else call(x))
    except UserError:
        raise
    except Exception as error:  # a layer may raise anything
        if source.whole or source.batch is not None:
            return None
        raise failure(error, front.shape, "Change image_size= or --image_size, or the model.") from error


def _moved(
    rebuilt: keras.Model | None, front: Front, source: Source, call: Callable[[Any], Any], images: np.ndarray
) -> tuple[Any, list[str]]:
    """A model that was built for whole numbers, or for batches of one size: rebuilt if that gives the same, else as a function."""
    if source.whole:
        images = np.round(images)
    original = _in_batches(lambda x: call(_rounded(front(x), source)), source.batch)
    several = np.concatenate([images, images[:1]])  # one more than a batch may have
    if rebuilt is not None and _agree(lambda x: rebuilt(x, training=False), original, several, source.whole):
        notes = [f"input of {source.dtype} taken as floats, so that gradients flow"] * source.whole
        if source.batch is not None:
            notes.append(f"built for batches of {source.batch}: takes any number of images here")
        return rebuilt, notes
    notes = [f"pixels rounded to {source.dtype}, through which no gradient flows"] * source.whole
    if source.batch is not None:
        notes.append(f"images given to it in batches of {source.batch}, as it was built")
    return original, notes


def _rounded(x: tf.Tensor, source: Source) -> tf.Tensor:
    return tf.cast(tf.round(x) if source.whole else x, source.dtype)


def _agree(fn: Callable[[Any], Any], original: Callable[[Any], Any], images: np.ndarray, gradient: bool) -> bool:
    """Whether a function has the outputs of the original one for some images, and a gradient if it has to."""
    try:
        outputs = sample_outputs(fn, images)
        if gradient and not has_input_gradient(fn, images.shape[1:]):
            return False
    except UserError:
        return False
    other = sample_outputs(original, images)
    return outputs.shape == other.shape and np.allclose(outputs, other, rtol=1e-3, atol=1e-4 * max(1e-2, np.ptp(other)))


def _in_batches(fn: Callable[[Any], Any], size: int | None) -> Callable[[Any], Any]:
    """A function of any number of images, of one that takes batches of one size."""
    if size is None:
        return fn

    @tf.autograph.experimental.do_not_convert
    def rows(part: tf.Tensor) -> tf.Tensor:
        return tf.cast(fn(part), tf.float32)

    def mapped(x: tf.Tensor) -> tf.Tensor:
        count = tf.shape(x)[0]
        padded = tf.pad(x, [[0, -count % size], [0, 0], [0, 0], [0, 0]])
        parts = tf.reshape(padded, (-1, size, *x.shape[1:]))
        outputs = tf.map_fn(rows, parts, fn_output_signature=tf.float32)
        return tf.reshape(outputs, (-1, outputs.shape[2]))[:count]

    return mapped


def _source(model: Any) -> Source:
    """The input of a model.

    Raises:
      UserError: it is no built Keras model, or has several inputs.
    """
    if not isinstance(model, keras.Layer):
        raise expected("a Keras model", type(model).__name__, "Use Classifier.from_callable for a function.")
    try:
        tensors, structure = list(model.inputs), getattr(model, "_inputs_struct", None)
    except AttributeError:  # a subclassed or unbuilt model
        return _built_source(model)
    if len(tensors) != 1:
        raise _several_inputs(tensors, structure)
    tensor = tensors[0]
    key = next(iter(structure)) if isinstance(structure, dict) else None
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return Source(tuple(tensor.shape[1:]), dtype, tensor.shape[0], key)


def _built_source(model: keras.Layer) -> Source:
    """The input of a model that is no graph, by the shape that it was built with."""
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if not shape:
        raise expected("a built model", "one without weights", "Call it on a batch of images first.")
    if isinstance(shape, dict):
        if len(shape) != 1:
            raise expected(
                "a model with one input",
                f"one with {len(shape)}: {', '.join(shape)}",
                "Wrap it in one with a single input.",
            )
        ((key, shape),) = shape.items()
        return Source(tuple(shape[1:]), "float32", None, key)
    return Source(tuple(shape[1:]), "float32", None)


def _several_inputs(tensors: list[Any], structure: Any) -> Exception:
    """The error for a model of several inputs, whose advice leaves one of them: the one that looks like an image."""
    described = ", ".join(f"{t.name} of shape {tuple(t.shape)} and type {t.dtype}" for t in tensors)
    image = max(tensors, key=lambda t: len(t.shape))
    texts = {t.name: "x" if t is image else _constant(tuple(t.shape[1:]), tuple(image.shape[1:])) for t in tensors}
    keys = ", ".join(f"{name!r}: {text}" for name, text in texts.items())
    arguments = f"{{{keys}}}" if isinstance(structure, dict) else f"[{', '.join(texts.values())}]"
    return expected(
        "a model with one input, an image",
        f"one with {len(tensors)}: {described}",
        f"Fix the others, here at 0.0: x = keras.Input({tuple(image.shape[1:])}); keras.Model(x, model({arguments})).",
    )


def _constant(shape: Sizes, image: Sizes) -> str:
    """Keras code for a constant of this shape for each image `x`."""
    pixel = f"keras.ops.reshape(x, (-1, {math.prod(size or 1 for size in image)}))[:, :1]"
    row = f"keras.ops.tile(0 * {pixel} + 0.0, (1, {math.prod(size or 1 for size in shape)}))"
    return row if len(shape) == 1 else f"keras.ops.reshape({row}, {(-1, *shape)})"


def _names(model: Any) -> list[str] | None:
    """Names of the layers that give the outputs of a functional model."""
    try:
        return [graphs.producer(tensor).operation.name for tensor in model.outputs]
    except AttributeError:
        return None


def _functional_outputs(model: Any) -> dict[str, Any]:
    structure = getattr(model, "_outputs_struct", None)
    if structure is None:
        structure = model.outputs[0] if len(model.outputs) == 1 else list(model.outputs)
    return named_outputs(structure, _names(model))


def _called_outputs(model: Any, source: Source, x: tf.Tensor) -> dict[str, Any]:
    """The outputs by name of a model that is no graph; none if it fails, which is reported where it is next called."""
    try:
        return named_outputs(model(source.pack(x), training=False), _names(model))
    except Exception:  # user code may raise anything
        return {}
