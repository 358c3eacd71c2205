"""The activation at the end of a Keras model, such as a softmax: found and cut off, without changing the model.

Gradients through a softmax vanish where it saturates, and a gradient attack then fails for a reason that is not robustness.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfinv.classifier import graphs
from tfinv.classifier.outputs import Head, as_float

# Activations by the functions that layers have as their `activation`; operations and layers of these kinds have class names.
_FUNCTIONS = {
    keras.activations.softmax: "softmax",
    keras.ops.softmax: "softmax",
    tf.nn.softmax: "softmax",
    keras.activations.sigmoid: "sigmoid",
    keras.ops.sigmoid: "sigmoid",
    tf.nn.sigmoid: "sigmoid",
    keras.activations.tanh: "tanh",
    keras.ops.tanh: "tanh",
    tf.nn.tanh: "tanh",
    keras.activations.log_softmax: "log_softmax",
    keras.ops.log_softmax: "log_softmax",
    tf.nn.log_softmax: "log_softmax",
    keras.activations.linear: "linear",
}
_CLASSES = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Tanh": "tanh", "LogSoftmax": "log_softmax"}
# Functions from what comes before an activation to its outputs, of the activations that saturate.
APPLY: dict[str, Callable[[Any], Any]] = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh}
_FORMS = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute)
_FORM_OPERATIONS = ("Reshape", "Squeeze", "ExpandDims", "Cast")


@dataclasses.dataclass(frozen=True)
class Ending:
    """The activation at the end of a model.

    Attributes:
      name: of the activation: "softmax", "sigmoid", "tanh", "log_softmax", "linear", or "" for any other.
      head: the scores before it; None where nothing is cut off.
    """

    name: str
    head: Head | None = None

    def outputs(self, x: Any) -> Any:
        """Returns the model's outputs, computed from the scores before the activation."""
        return APPLY[self.name](as_float(self.head.logits(x)))  # type: ignore[union-attr]


def find_ending(graph: graphs.Graph) -> Ending:
    """Finds the activation at the end of a graph, also in nested models and before operations that do nothing to scores."""
    if graph.output is graph.input:
        return Ending("linear")
    node = graphs.producer(graph.output)
    operation = node.operation
    if len(node.parents) != 1:
        return Ending(_name(operation))
    trunk = graphs.Graph(graph.input, node.parents[0])
    if _is_identity(operation):
        return find_ending(trunk)
    if _changes_form(node):
        return _followed_by(find_ending(trunk), trunk.output, graph.output)
    if isinstance(operation, keras.Model):
        nested = graphs.trace(operation, trunk.output.shape[1:])
        return _nested(find_ending(nested), graph, trunk) if nested else Ending("")
    name = _name(operation)
    if name not in APPLY:
        return Ending(name)
    classes, function = graph.output.shape[-1], graphs.view(graph, trunk.output)
    if not _has_weights(operation):
        return Ending(name, Head(function, classes, f"{name} layer cut off", (trunk,)))
    twin = _linear_twin(operation)
    symbol = keras.Input(batch_shape=trunk.output.shape, dtype=trunk.output.dtype)
    parts = (trunk, graphs.Graph(symbol, twin(symbol)))
    return Ending(name, Head(graphs.chain(function, twin), classes, f"{name} of the last layer cut off", parts))


def _nested(ending: Ending, graph: graphs.Graph, trunk: graphs.Graph) -> Ending:
    """The ending of a model that ends in a nested model with an ending."""
    if ending.head is None:
        return ending
    mark = " (in a nested model)"
    head = dataclasses.replace(
        ending.head,
        logits=graphs.chain(graphs.view(graph, trunk.output), ending.head.logits),
        source=ending.head.source.removesuffix(mark) + mark,
        parts=(trunk, *ending.head.parts),
    )
    return Ending(ending.name, head)


def _followed_by(ending: Ending, before: Any, after: Any) -> Ending:
    """The ending of a model in which an operation that changes the form of the scores comes after the activation."""
    if ending.head is None:
        return ending
    shape = tuple(after.shape[1:])
    symbol = keras.Input(batch_shape=before.shape, dtype=before.dtype)
    part = graphs.Graph(symbol, keras.ops.reshape(symbol, (-1, *shape)))
    head = dataclasses.replace(
        ending.head,
        logits=graphs.chain(ending.head.logits, lambda x: tf.reshape(x, (-1, *shape))),
        num_classes=shape[-1],
        parts=(*ending.head.parts, part),
    )
    return Ending(ending.name, head)


def _name(operation: Any) -> str:
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return _FUNCTIONS.get(activation, "") if _is_hashable(activation) else ""
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    of_keras = type(operation).__module__.startswith("keras.")
    return _CLASSES.get(type(operation).__name__, "") if of_keras else ""


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _has_weights(operation: Any) -> bool:
    """Whether an operation does more than its activation."""
    return isinstance(operation, keras.Layer) and not isinstance(
        operation, (keras.layers.Activation, keras.layers.Softmax)
    )


def _is_identity(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.linear
    return isinstance(operation, (keras.layers.Identity, keras.layers.Dropout, keras.layers.ActivityRegularization))


def _changes_form(node: graphs.Node) -> bool:
    """Whether a call changes the axes or the type of scores, and not their order: all axes but one are of size 1."""
    operation = node.operation
    transparent = isinstance(operation, _FORMS) or type(operation).__name__ in _FORM_OPERATIONS
    shapes = [tuple(tensor.shape[1:]) for tensor in (node.parents[0], node.output)]
    return transparent and all(None not in s and sum(size != 1 for size in s) <= 1 for s in shapes)


def _linear_twin(layer: keras.Layer) -> keras.Layer:
    """Returns the same layer with shared weights and a linear activation.

    `copy.copy` would copy the weights of a Keras layer, and replacing `layer.activation` during a call would be visible to
    other threads and traces.
    """
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.update(activation=keras.activations.linear, _inbound_nodes=[], _outbound_nodes=[])
    return twin
