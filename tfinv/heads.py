"""Finds the logits of a Keras model: the softmax at its end is cut off, without a change to the model.

Gradients through a softmax vanish where it saturates, and an attack that follows them then fails for a reason that is not
robustness. The logits z before p = softmax(z) come back as log p = z - logsumexp(z), but only up to rounding.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv import graphs
from tfinv.errors import UserError, expected

_HINT = 'Change outputs= or --outputs ("logits" or "probabilities").'
_TINY = float(np.finfo(np.float32).tiny)
SATURATES = "log of the probabilities: gradients vanish where they saturate"
_SOFTMAX = (keras.activations.softmax, keras.ops.softmax, tf.nn.softmax)
_SIGMOID = (keras.activations.sigmoid, keras.ops.sigmoid, tf.nn.sigmoid)


@dataclasses.dataclass(frozen=True)
class Head:
    """A function from images to logits, the number of classes, and how it was found.

    Attributes:
      logits: the function.
      num_classes: K.
      source: how it was found, as a phrase.
      parts: the graphs that compute the logits, each from the output of the one before; none where they cannot be seen.
    """

    logits: graphs.Function
    num_classes: int
    source: str
    parts: tuple[graphs.Graph, ...] = ()


def find_logits(model: keras.Model, images: np.ndarray, declared: str | None = None) -> Head:
    """Finds the logits by the model's structure, or else by what it gives for a few images.

    Args:
      model: gives (batch, K).
      images: (n, H, W, C) float32, to try it on.
      declared: "logits", "probabilities", or None to find out.

    Raises:
      UserError: the output is not that of a classifier, or not what was declared.
    """

    graph = graphs.trace(model, images.shape[1:])
    if graph is not None and _is_its_graph(model):
        whole = graphs.view(graph, graph.output)  # the model itself, but for dictionaries around its input and output
    else:
        whole = lambda x: only_output(model(x, training=False))  # noqa: E731
    if declared == "logits":
        return _with_graph(from_outputs(whole, images, declared), whole, graph)
    outputs = try_on(whole, images)
    # A subclass of a functional model may override `call`, and is then not its graph.
    if graph is not None and not _agree(graphs.view(graph, graph.output), images, outputs):
        graph = None
    if graph is not None:
        cut = cut_softmax(graph)
        # This catches a layer whose `activation` is not the last thing it does.
        if cut is not None and _agree(lambda x: tf.nn.softmax(as_float(cut.logits(x))), images, outputs):
            return cut
        kind = _last_activation(graph)
        if kind in _SIGMOID:
            raise expected(
                "an output with one logit or probability a class, of which one is right",
                "a sigmoid output",
                "Use two classes for a binary model; for independent classes, cut the sigmoid off or pass "
                "outputs='logits' (--outputs=logits).",
            )
        if kind is keras.activations.linear and declared is None and not are_probabilities(outputs):
            return Head(whole, outputs.shape[1], "linear head", (graph,))
    return _with_graph(from_outputs(whole, images, declared), whole, graph)


def _with_graph(head: Head, whole: graphs.Function, graph: graphs.Graph | None) -> Head:
    """Notes the graph of a model whose outputs were taken as they are."""
    return dataclasses.replace(head, parts=(graph,)) if graph is not None and head.logits is whole else head


def from_outputs(fn: graphs.Function, images: np.ndarray, declared: str | None, num_classes: int | None = None) -> Head:
    """Takes the outputs of a function for what was declared, or else for what they look like.

    Raises:
      UserError: the outputs do not fit `num_classes` or what was declared.
    """
    outputs = try_on(fn, images)
    classes = outputs.shape[1]
    if num_classes not in (None, classes):
        raise expected(f"outputs for {num_classes} classes", f"{classes} columns", "Change num_classes=.")
    looks = are_probabilities(outputs)
    if declared == "probabilities" and not looks:
        low, high = outputs.min(), outputs.max()
        raise expected("probabilities, which sum to one", f"outputs from {low:g} to {high:g} that do not", _HINT)
    if declared == "logits":
        note = ", though they look like probabilities" if looks else ""
        return Head(fn, classes, f"outputs declared to be logits{note}")
    if looks:
        return Head(lambda x: tf.math.log(tf.maximum(as_float(fn(x)), _TINY)), classes, SATURATES)
    return Head(fn, classes, "outputs taken for logits, since their rows do not sum to one")


def cut_softmax(graph: graphs.Graph) -> Head | None:
    """Returns the graph without the softmax at its end, sharing its weights; None if it does not end in one."""
    node = graphs.producer(graph.output)
    operation = node.operation
    if len(node.parents) != 1:
        return None
    before = graphs.Graph(graph.input, node.parents[0])
    trunk, classes = graphs.view(graph, before.output), graph.output.shape[-1]
    activation = getattr(operation, "activation", None)
    if _does_nothing(operation):
        return cut_softmax(before)
    if isinstance(operation, keras.Model):
        nested = graphs.trace(operation, before.output.shape[1:])
        cut = cut_softmax(nested) if nested else None
        if cut is None:
            return None
        source = f"{cut.source} (in a nested model)"
        return Head(graphs.chain(trunk, cut.logits), classes, source, (before, *cut.parts))
    if type(operation).__name__ == "Softmax" or (
        isinstance(operation, keras.layers.Activation) and activation in _SOFTMAX
    ):
        return Head(trunk, classes, "softmax layer cut off", (before,))
    if isinstance(operation, keras.Layer) and activation in _SOFTMAX:
        twin = _linear_twin(operation)
        symbol = keras.Input(batch_shape=before.output.shape, dtype=before.output.dtype)
        parts = (before, graphs.Graph(symbol, twin(symbol)))
        return Head(graphs.chain(trunk, twin), classes, "softmax of the last layer cut off", parts)
    return None


def _linear_twin(layer: keras.Layer) -> keras.Layer:
    """The same layer, weights included, with a linear activation.

    Neither `copy.copy`, which in Keras copies the weights, nor swapping `layer.activation` for the time of a call, which
    other threads and traces would see.
    """
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.update(activation=keras.activations.linear, _inbound_nodes=[], _outbound_nodes=[])
    return twin


def _is_its_graph(model: keras.Model) -> bool:
    return hasattr(model, "inputs") and type(model).__module__.startswith("keras.")


def _does_nothing(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return isinstance(operation, (keras.layers.Identity, keras.layers.Dropout))


def _last_activation(graph: graphs.Graph) -> Any:
    node = graphs.producer(graph.output)
    operation = node.operation
    if len(node.parents) == 1 and _does_nothing(operation):
        parent = node.parents[0]
        return keras.activations.linear if parent is graph.input else _last_activation(graph._replace(output=parent))
    if isinstance(operation, keras.Model) and len(node.parents) == 1:
        nested = graphs.trace(operation, node.parents[0].shape[1:])
        return _last_activation(nested) if nested else None
    if type(operation).__name__ == "Sigmoid":
        return keras.activations.sigmoid
    return getattr(operation, "activation", None)


def _agree(fn: graphs.Function, images: np.ndarray, outputs: np.ndarray) -> bool:
    """Whether two ways to compute the same give the same, up to the rounding of half precision.

    Probabilities are compared by their logarithms: with a hundred classes all of them may be small.
    """
    try:
        found = try_on(fn, images)
    except UserError:  # as when a graph was built for one batch size
        return False
    rounding = 0.0
    if are_probabilities(outputs):
        least = 0.01 / outputs.shape[1]
        found, outputs = (np.log(np.maximum(p, least)) for p in (found, outputs))
        rounding = 0.006
    return np.allclose(found, outputs, rtol=0.02, atol=max(0.02 * np.ptp(outputs), rounding))


def as_float(x: Any) -> tf.Tensor:
    """Any tensor as float32."""
    return tf.cast(x, tf.float32)


def only_output(outputs: Any) -> Any:
    """The one tensor in a structure of outputs.

    Raises:
      UserError: there is not exactly one.
    """
    flat = keras.tree.flatten(outputs)
    if len(flat) != 1:
        raise expected(
            "a model with one output",
            f"one with {len(flat)}",
            "Choose one: keras.Model(model.inputs, model.outputs[0]).",
        )
    return flat[0]


def try_on(fn: graphs.Function, images: np.ndarray) -> np.ndarray:
    """Returns the (n, K) float32 outputs for a few images.

    Raises:
      UserError: the function fails, or gives no row of at least two finite scores an image.
    """
    try:
        outputs = np.asarray(as_float(fn(tf.constant(images))))
    except UserError:
        raise
    except Exception as error:  # whatever user code raises, the user has to see what it was
        reason = str(error).strip().splitlines()[:1]
        raise expected(
            f"a classifier of images of shape {images.shape}",
            f"{type(error).__name__}: {reason[0] if reason else ''}".rstrip(". "),
            "Change the model, or input_shape= or num_classes= for a function.",
        ) from error
    if outputs.ndim != 2 or len(outputs) != len(images):
        raise expected(
            "one row of scores an image", f"an output of shape {outputs.shape}", "Flatten or pool the output."
        )
    if outputs.shape[1] < 2:
        raise expected(
            "a score for each of at least two classes",
            "an output of one column",
            "Give a binary model two columns: for p, the columns 1 - p and p.",
        )
    if not np.isfinite(outputs).all():
        raise expected("finite outputs", "NaN or infinity for noise images within the bounds", "Retrain the model.")
    return outputs


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether rows are within [0, 1] and sum to one, up to the rounding of half precision."""
    return bool((outputs >= 0).all() and (outputs <= 1).all() and np.allclose(outputs.sum(axis=1), 1, atol=0.01))


def check_declared(outputs: Any) -> None:
    """Raises UserError unless `outputs` is None, "logits" or "probabilities"."""
    if outputs not in (None, "logits", "probabilities"):
        raise expected('"logits" or "probabilities"', repr(outputs), "Change outputs= or --outputs.")


def image_shape(model: Any) -> tuple[int, int, int]:
    """Returns (H, W, C) of a Keras model's input.

    Raises:
      UserError: it is no built model of one batch of images of a fixed size.
    """
    if not isinstance(model, keras.Layer):
        raise expected("a Keras model", type(model).__name__, "Use Classifier.from_callable for a function.")
    try:
        shapes = [tensor.shape for tensor in keras.tree.flatten(model.inputs)]
    except AttributeError:  # a subclassed or unbuilt model
        built = (model.get_build_config() or {}).get("input_shape") if model.built else None
        shapes = [built] if built else []
        if not shapes:
            raise expected("a built model", "one without weights", "Call it on a batch of images first.") from None
    if len(shapes) != 1:
        raise expected("a model with one input", f"one with {len(shapes)}", "Wrap it in one with a single input.")
    shape = tuple(shapes[0])
    if len(shape) != 4 or None in shape[1:]:
        raise expected(
            "a model of images: (batch, height, width, channels), all but the batch fixed",
            f"an input of shape {shape}",
            "Wrap it: keras.Sequential([keras.Input((height, width, channels)), ..., model]).",
        )
    return shape[1], shape[2], shape[3]
