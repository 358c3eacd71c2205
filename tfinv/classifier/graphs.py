"""Keras models as graphs: the operation behind each tensor, and views of a part that share the weights.

Keras records on each symbolic tensor the operation that produced it and the number of the operation's call. That is exact
for layers used in several places or in several models, where `layer.output` is ambiguous.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import keras

KerasTensor: TypeAlias = Any  # keras.KerasTensor, which carries no types
Function = Callable[[Any], Any]


class Graph(NamedTuple):
    """A model with one input tensor and one output tensor."""

    input: KerasTensor
    output: KerasTensor


class Node(NamedTuple):
    """One call of an operation: its input tensors, the output through which it was reached, and Keras's record of the call."""

    operation: Any
    parents: list[KerasTensor]
    output: KerasTensor
    call: Any


def trace(model: Any, input_shape: tuple[int | None, ...]) -> Graph | None:
    """Returns the graph of a model, or None if it cannot be traced.

    A subclassed model is traced by running its `call` on a symbolic tensor, which works if it consists of Keras layers and
    operations; a model that calls TensorFlow directly fails, and has no graph.

    Args:
      model: a Keras model.
      input_shape: shape of its input, without the batch.
    """
    with contextlib.suppress(AttributeError):  # raised by unbuilt Sequential and by subclassed models
        inputs, outputs = keras.tree.flatten(model.inputs), keras.tree.flatten(model.outputs)
        return Graph(inputs[0], outputs[0]) if len(inputs) == len(outputs) == 1 else None
    symbol = keras.Input(input_shape)
    try:
        output = model.call(symbol)
    except Exception:  # user code may fail in any way on a tensor without values
        return None
    return Graph(symbol, output) if isinstance(output, keras.KerasTensor) else None


def producer(tensor: KerasTensor) -> Node:
    """Returns the call that produced a tensor."""
    operation, index, _ = tensor._keras_history
    call = operation._inbound_nodes[index]
    return Node(operation, list(call.input_tensors), tensor, call)


def nodes_by_level(graph: Graph) -> list[Node]:
    """Returns the calls between input and output, ordered by their longest distance from the input.

    In this order, the last convolution of a residual network is the one of the main path, not that of its shortcut.
    """
    levels: dict[int, int] = {}
    nodes: dict[int, Node] = {}
    stack = [graph.output]
    while stack:
        node = producer(stack[-1])
        unvisited = [parent for parent in node.parents if id(parent) not in levels]
        if unvisited:
            stack.extend(unvisited)
            continue
        tensor = stack.pop()
        levels[id(tensor)] = 1 + max((levels[id(parent)] for parent in node.parents), default=-1)
        nodes[id(tensor)] = node
    return [nodes[key] for key in sorted(nodes, key=lambda key: levels[key])]


def replay(graph: Graph, tensor: KerasTensor) -> KerasTensor:
    """Applies the operations of a graph to another tensor, with shared weights, and returns the output.

    A nested model whose input is of whole numbers or of one batch size would cast or refuse it, so its operations are applied.
    """
    values = {id(graph.input): tensor}
    for node in nodes_by_level(graph):
        if id(node.output) in values:
            continue
        args, kwargs = node.call.arguments.fill_in(values)
        if is_plain_model(node) and _is_narrow(node.operation.inputs[0]):
            nested = Graph(node.operation.inputs[0], node.operation.outputs[0])
            outputs = [replay(nested, values[id(node.parents[0])])]
        else:
            outputs = keras.tree.flatten(node.operation(*args, **kwargs))
        values.update((id(symbol), value) for symbol, value in zip(node.call.outputs, outputs, strict=True))
    return values[id(graph.output)]


def _is_narrow(tensor: KerasTensor) -> bool:
    """Whether an input is of whole numbers or of one batch size."""
    return "float" not in tensor.dtype or tensor.shape[0] is not None


def is_functional(model: Any) -> bool:
    """Whether a model is a graph of operations; a subclass may differ from its graph, and a stranger's class may be anything."""
    return hasattr(model, "inputs") and type(model).__module__.startswith("keras.")


def is_plain_model(node: Node) -> bool:
    """Whether the operation is a nested Keras model of one input and one output; a subclass may differ from its graph."""
    model = node.operation
    if not isinstance(model, keras.Model) or not type(model).__module__.startswith("keras."):
        return False
    return len(node.parents) == len(keras.tree.flatten(model.inputs)) == len(keras.tree.flatten(model.outputs)) == 1


def view(graph: Graph, tensor: KerasTensor) -> Function:
    """Returns the function from the graph's input to one of its tensors, in inference mode and with shared weights."""
    if tensor is graph.input:
        return lambda x: x
    part = keras.Model(graph.input, tensor)
    return lambda x: part(x, training=False)


def chain(first: Function, second: Function) -> Function:
    """Composes two functions: `second` after `first`."""
    return lambda x: second(first(x))
