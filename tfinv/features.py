"""Features of a Keras model: its last map, a named layer, or the input of the head.

The last map is what the last convolution gives, or the addition or concatenation that its branch ends in, with the
normalisation and the activation behind it. One branch of a residual or dense block would be but a part of what the network goes
on with.
"""

import itertools
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
    before = list(itertools.takewhile(lambda node: node.operation is not head, graphs.nodes_by_level(graph)))
    for i, node in reversed(list(enumerate(before))):
        if _is_convolution(node) or (_is_merge(node) and any(map(_convolves, before[:i]))):
            return graphs.view(graph, _settled(node.output, before[i + 1 :]))
        inside = _inside(node)
        found = inside and _last_map(inside, head)
        if found:
            return graphs.chain(graphs.view(graph, node.parents[0]), found)
    return None


def _settled(tensor: graphs.KerasTensor, later: Sequence[graphs.Node]) -> graphs.KerasTensor:
    """The tensor after the normalisation and activation that follow it: whatever has one input, no kernel, and leaves its shape."""
    for node in later:
        follows = len(node.parents) == 1 and node.parents[0] is tensor and node.output.shape == tensor.shape
        if follows and not _is_model(node) and not _has_kernel(node) and "Pooling" not in type(node.operation).__name__:
            tensor = node.output
    return tensor


def _is_convolution(node: graphs.Node) -> bool:
    return isinstance(node.operation, _CONVOLUTIONS)


def _is_merge(node: graphs.Node) -> bool:
    return len(node.parents) > 1 and len(node.output.shape) == 4 and not _is_model(node)


def _convolves(node: graphs.Node) -> bool:
    inside = _inside(node)
    return _is_convolution(node) or (inside is not None and any(map(_convolves, graphs.nodes_by_level(inside))))


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
