"""Keras models as graphs: what made a tensor, and views of a part that share the weights.

Keras keeps on each symbolic tensor the operation that made it and which of the operation's calls it was. That is exact
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
    """One call of an operation: its input tensors, the output that was followed to find it, and Keras's record of it."""

    operation: Any
    parents: list[KerasTensor]
    output: KerasTensor
    call: Any


def trace(model: Any, input_shape: tuple[int | None, ...]) -> Graph | None:
    """Returns the graph of a model, or None if it cannot be seen.

    A subclassed model shows its graph when its `call` is made of Keras layers and operations, by running it on a symbolic
    tensor; one that calls TensorFlow directly fails on that, and stays closed.

    Args:
      model: a Keras model.
      input_shape: its input's shape without the batch.
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
    """The call that made a tensor."""
    operation, index, _ = tensor._keras_history
    call = operation._inbound_nodes[index]
    return Node(operation, list(call.input_tensors), tensor, call)


def nodes_by_level(graph: Graph) -> list[Node]:
    """The calls between input and output, ordered by their longest distance from the input.

    So the last convolution of a residual network is the one of the main path, not that of its shortcut.
    """
    levels: dict[int, int] = {}
    nodes: dict[int, Node] = {}
    stack = [graph.output]
    while stack:
        node = producer(stack[-1])
        waiting = [parent for parent in node.parents if id(parent) not in levels]
        if waiting:
            stack.extend(waiting)
            continue
        done = stack.pop()
        levels[id(done)] = 1 + max((levels[id(parent)] for parent in node.parents), default=-1)
        nodes[id(done)] = node
    return [nodes[key] for key in sorted(nodes, key=lambda key: levels[key])]


def is_plain_model(node: Node) -> bool:
    """Whether the operation is a nested model of one input and one output that is its graph: a subclass may do something else."""
    model = node.operation
    if not isinstance(model, keras.Model) or not type(model).__module__.startswith("keras."):
        return False
    return len(node.parents) == len(keras.tree.flatten(model.inputs)) == len(keras.tree.flatten(model.outputs)) == 1


def view(graph: Graph, tensor: KerasTensor) -> Function:
    """The function from the graph's input to one of its tensors, in inference mode and with the same weights."""
    if tensor is graph.input:
        return lambda x: x
    part = keras.Model(graph.input, tensor)
    return lambda x: part(x, training=False)


def chain(first: Function, second: Function) -> Function:
    """`second` after `first`."""
    return lambda x: second(first(x))
