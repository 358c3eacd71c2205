"""Features of a Keras model: its last map, a named layer, or the input of the head.

The last map is what the last convolution gives, or the addition, concatenation or gate that its branch ends in, with the
normalisation and the activation behind it. One branch of a residual or dense block would be but a part of what the network goes
on with.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras

from tfinv import graphs
from tfinv.errors import expected

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# By name, which layers and operations share: `keras.layers.Add()([x, y])` and `x + y`.
_MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")


def find_features(model: Any, input_shape: tuple[int, int, int], layer: str | None = None) -> graphs.Function | None:
    """Returns the function from images to features.

    Args:
      model: a Keras model.
      input_shape: (H, W, C).
      layer: the name of the layer whose output to take; None for the last map, or for the input of the last layer with weights
        where there is no convolution. A convolution that is itself that last layer gives scores and no features.

    Returns:
      None if no layer is asked for and the model's layers cannot be seen.

    Raises:
      UserError: there is no layer of that name, or the layers cannot be seen.
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
        found = _search(graph, lambda node: node.operation.name == layer)
        if found is None:
            raise expected(
                f"the name of a layer: {', '.join(_names(graph))}",
                layer,
                "Change features_layer= or --features_layer.",
            )
        return found
    return (
        _last_map(graph, _head(graph)) or _search(graph, _has_kernel, of_input=True) or graphs.view(graph, graph.output)
    )


def _last_map(graph: graphs.Graph, head: Any) -> graphs.Function | None:
    """The view of the last map before the head, nested models included; None without a convolution."""
    path = _path(graph, head)
    return functools.reduce(graphs.chain, (graphs.view(*step) for step in path)) if path else None


def _path(graph: graphs.Graph, head: Any) -> list[tuple[graphs.Graph, graphs.KerasTensor]]:
    """Where the last map is: of each graph on the way into nested models the tensor that goes in, and in the last the map."""
    nodes = graphs.nodes_by_level(graph)
    end = max((i for i, node in enumerate(nodes) if node.operation is head or _holds(node, head)), default=len(nodes))
    for i in reversed(range(min(end + 1, len(nodes)))):
        node, inside = nodes[i], _inside(nodes[i])
        if inside and (way := _path(inside, head)):
            # What follows the nested model may still belong to the map that it gives.
            whole = len(way) == 1 and way[0][1] is inside.output and i < end
            settled = _settled(node.output, nodes[i + 1 : end]) if whole else node.output
            return [(graph, settled)] if settled is not node.output else [(graph, node.parents[0]), *way]
        if i < end and node.operation is not head and (_is_convolution(node) or _is_merge(node, nodes[:i])):
            return [(graph, _settled(node.output, nodes[i + 1 : end]))]
    return []


def _settled(tensor: graphs.KerasTensor, later: Sequence[graphs.Node]) -> graphs.KerasTensor:
    """The tensor after the normalisation and activation that follow it: what alone takes it, has no kernel and leaves its shape."""
    takers = [node for node in later if any(parent is tensor for parent in node.parents)]
    if len(takers) != 1 or len(takers[0].parents) != 1 or takers[0].output.shape != tensor.shape:
        return tensor
    (node,) = takers
    if _is_model(node) or _has_kernel(node) or "Pooling" in type(node.operation).__name__:
        return tensor
    return _settled(node.output, later)


def _is_convolution(node: graphs.Node) -> bool:
    return isinstance(node.operation, _CONVOLUTIONS)


def _is_merge(node: graphs.Node, before: Sequence[graphs.Node]) -> bool:
    """Whether branches meet in it that are maps: as high and wide as what some convolution before it gives."""
    if type(node.operation).__name__ not in _MERGES or len(node.parents) < 2 or len(node.output.shape) != 4:
        return False
    return any(_convolves(earlier) and earlier.output.shape[1:3] == node.output.shape[1:3] for earlier in before)


def _convolves(node: graphs.Node) -> bool:
    inside = _inside(node)
    return _is_convolution(node) or (inside is not None and any(map(_convolves, graphs.nodes_by_level(inside))))


def _holds(node: graphs.Node, operation: Any) -> bool:
    inside = _inside(node)
    return inside is not None and any(
        n.operation is operation or _holds(n, operation) for n in graphs.nodes_by_level(inside)
    )


def _has_kernel(node: graphs.Node) -> bool:
    weights = getattr(node.operation, "weights", [])
    return len(node.parents) == 1 and not _is_model(node) and any(len(w.shape) >= 2 for w in weights)


def _head(graph: graphs.Graph) -> Any:
    """The last operation with a kernel, nested models included; None if there is none."""
    for node in reversed(graphs.nodes_by_level(graph)):
        inside = _inside(node)
        found = node.operation if _has_kernel(node) else _head(inside) if inside else None
        if found is not None:
            return found
    return None


def _is_model(node: graphs.Node) -> bool:
    return isinstance(node.operation, keras.Model)


def _inside(node: graphs.Node) -> graphs.Graph | None:
    if not _is_model(node) or len(node.parents) != 1:
        return None
    return graphs.trace(node.operation, node.parents[0].shape[1:])


def _search(graph: graphs.Graph, wanted: Any, of_input: bool = False) -> graphs.Function | None:
    """The view of the last call that is `wanted`, nested models included; of its input if `of_input`."""
    for node in reversed(graphs.nodes_by_level(graph)):
        if wanted(node):
            return graphs.view(graph, node.parents[0] if of_input else node.output)
        inside = _inside(node)
        found = inside and _search(inside, wanted, of_input)
        if found:
            return graphs.chain(graphs.view(graph, node.parents[0]), found)
    return None


def _names(graph: graphs.Graph) -> list[str]:
    names = []
    for node in graphs.nodes_by_level(graph):
        if not isinstance(node.operation, keras.layers.InputLayer):
            names.append(node.operation.name)
        inside = _inside(node)
        names += _names(inside) if inside else []
    return names
