"""Features of a Keras model: its last feature map, the output of a named layer, or the input of the head.

The last map is the output of the last convolution, or of the addition, concatenation or gate that its branch ends in, after
normalisation and activation. A single branch of a residual or dense block would be only a part of what later layers use.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfinv.classifier import graphs
from tfinv.errors import expected

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# By class name, since layers and operations have the same: `keras.layers.Add()([x, y])` and `x + y`.
_MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")


def find_features(model: Any, input_shape: tuple[int, int, int], layer: str | None = None) -> graphs.Function | None:
    """Returns the function from images to features.

    Args:
      model: a Keras model.
      input_shape: (H, W, C).
      layer: the name of the layer whose output to use; None for the last map, or for the input of the last layer with weights
        where there is no convolution. A convolution that is itself the last layer computes scores and not features.

    Returns:
      None if `layer` is None and the model cannot be traced.

    Raises:
      UserError: there is no layer of that name, or the model cannot be traced.
    """
    graph = graphs.trace(model, input_shape)
    if graph is None:
        if layer is None:
            return None
        raise expected(
            "a model made of Keras layers and operations",
            f"{type(model).__name__}, whose layers cannot be seen",
            "Leave out features_layer= or --features_layer.",
        )
    if layer is not None:
        function = _find_last(graph, lambda node: node.operation.name == layer)
        if function is None:
            raise expected(
                f"the name of a layer: {', '.join(_layer_names(graph))}",
                layer,
                "Change features_layer= or --features_layer.",
            )
        return function
    return (
        _last_map(graph, _head(graph))
        or _find_last(graph, _has_kernel, of_input=True)
        or graphs.view(graph, graph.output)
    )


def _last_map(graph: graphs.Graph, head: Any) -> graphs.Function | None:
    """Function to the last map before the head, nested models included; None without a convolution."""
    path = _path_to_map(graph, head)
    return functools.reduce(graphs.chain, (graphs.view(*step) for step in path)) if path else None


def _path_to_map(graph: graphs.Graph, head: Any) -> list[tuple[graphs.Graph, graphs.KerasTensor]]:
    """Path to the last map through nested models: each graph with the nested model's input, the last one with the map."""
    nodes = graphs.nodes_by_level(graph)
    end = max(
        (i for i, node in enumerate(nodes) if node.operation is head or _contains(node, head)), default=len(nodes)
    )
    for i in reversed(range(min(end + 1, len(nodes)))):
        node, nested = nodes[i], _nested_graph(nodes[i])
        if nested and (path := _path_to_map(nested, head)):
            # Layers after the nested model may still belong to the map that it ends in.
            ends_in_map = len(path) == 1 and path[0][1] is nested.output and i < end
            output = _after_activation(node.output, nodes[i + 1 : end]) if ends_in_map else node.output
            return [(graph, output)] if output is not node.output else [(graph, node.parents[0]), *path]
        if i < end and node.operation is not head and (_is_convolution(node) or _is_merge(node, nodes[:i])):
            return [(graph, _after_activation(node.output, nodes[i + 1 : end]))]
    return []


def _after_activation(tensor: graphs.KerasTensor, later: Sequence[graphs.Node]) -> graphs.KerasTensor:
    """Output of the normalisation and activation after a tensor: its only consumers, without a kernel and of the same shape."""
    consumers = [node for node in later if any(parent is tensor for parent in node.parents)]
    if len(consumers) != 1 or len(consumers[0].parents) != 1 or consumers[0].output.shape != tensor.shape:
        return tensor
    (node,) = consumers
    if _is_model(node) or _has_kernel(node) or "Pooling" in type(node.operation).__name__:
        return tensor
    return _after_activation(node.output, later)


def _is_convolution(node: graphs.Node) -> bool:
    return isinstance(node.operation, _CONVOLUTIONS)


def _is_merge(node: graphs.Node, before: Sequence[graphs.Node]) -> bool:
    """Whether a node merges feature maps: of the height and width of some earlier convolution's output."""
    if type(node.operation).__name__ not in _MERGES or len(node.parents) < 2 or len(node.output.shape) != 4:
        return False
    return any(
        _contains_convolution(earlier) and earlier.output.shape[1:3] == node.output.shape[1:3] for earlier in before
    )


def _contains_convolution(node: graphs.Node) -> bool:
    nested = _nested_graph(node)
    if nested is None:
        return _is_convolution(node)
    return any(map(_contains_convolution, graphs.nodes_by_level(nested)))


def _contains(node: graphs.Node, operation: Any) -> bool:
    nested = _nested_graph(node)
    return nested is not None and any(
        n.operation is operation or _contains(n, operation) for n in graphs.nodes_by_level(nested)
    )


def _has_kernel(node: graphs.Node) -> bool:
    weights = getattr(node.operation, "weights", [])
    return len(node.parents) == 1 and not _is_model(node) and any(len(w.shape) >= 2 for w in weights)


def _head(graph: graphs.Graph) -> Any:
    """Last operation with a kernel, nested models included; None if there is none."""
    for node in reversed(graphs.nodes_by_level(graph)):
        nested = _nested_graph(node)
        head = node.operation if _has_kernel(node) else _head(nested) if nested else None
        if head is not None:
            return head
    return None


def _is_model(node: graphs.Node) -> bool:
    return isinstance(node.operation, keras.Model)


def _nested_graph(node: graphs.Node) -> graphs.Graph | None:
    if not _is_model(node) or len(node.parents) != 1:
        return None
    return graphs.trace(node.operation, node.parents[0].shape[1:])


def _find_last(
    graph: graphs.Graph, predicate: Callable[[graphs.Node], bool], of_input: bool = False
) -> graphs.Function | None:
    """Function to the output, or input, of the last node that satisfies the predicate, nested models included."""
    for node in reversed(graphs.nodes_by_level(graph)):
        if predicate(node):
            return graphs.view(graph, node.parents[0] if of_input else node.output)
        nested = _nested_graph(node)
        function = nested and _find_last(nested, predicate, of_input)
        if function:
            return graphs.chain(graphs.view(graph, node.parents[0]), function)
    return None


def _layer_names(graph: graphs.Graph) -> list[str]:
    names = []
    for node in graphs.nodes_by_level(graph):
        if not isinstance(node.operation, keras.layers.InputLayer):
            names.append(node.operation.name)
        nested = _nested_graph(node)
        names += _layer_names(nested) if nested else []
    return names
