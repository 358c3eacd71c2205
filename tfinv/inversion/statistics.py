"""Distance of a batch's statistics from those that a model's batch norms keep of its training images (Yin et al. 2020, eq. 4)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfinv.classifier import graphs
from tfinv.classifier.acceleration import folding


class NormInputs(NamedTuple):
    """A batch norm and its inputs in one call."""

    layer: Any
    inputs: tf.Tensor


def has_batch_norm(parts: Sequence[graphs.Graph]) -> bool:
    """Whether there is a batch norm in the graphs of a model, or in a model nested in them."""
    nodes = [node for graph in parts for node in graphs.nodes_by_level(graph)]
    return any(_is_norm(node) or (graphs.is_plain_model(node) and has_batch_norm([_inside(node)])) for node in nodes)


def logits_and_norm_inputs(parts: Sequence[graphs.Graph], images: tf.Tensor) -> tuple[tf.Tensor, list[NormInputs]]:
    """Runs a model in inference mode and collects the inputs of its batch norms.

    Args:
      parts: the graphs from images to logits, see `Classifier.parts`.
      images: (b, H, W, C) in the model's bounds.

    Returns:
      (b, K) float32 logits, and one entry for each call of a batch norm.
    """
    norm_inputs: list[NormInputs] = []
    for graph in parts:
        images = _run(graph, images, norm_inputs)
    return tf.cast(images, tf.float32), norm_inputs


def distance(norm_inputs: Sequence[NormInputs]) -> tf.Tensor:
    """() sum over batch norms of |mean - moving mean|_2 + |variance - moving variance|_2, over the batch and all positions."""
    total = tf.constant(0.0)
    for layer, inputs in norm_inputs:
        inputs = tf.cast(inputs, tf.float32)
        rank = len(inputs.shape)
        mean, variance = tf.nn.moments(inputs, [axis for axis in range(rank) if axis != layer.axis % rank])
        total += _length(mean - layer.moving_mean) + _length(variance - layer.moving_variance)
    return total


def _run(graph, x, norm_inputs):
    """The output of a graph; appends to `norm_inputs`."""
    values = {id(graph.input): tf.cast(x, graph.input.dtype)}
    calls = {id(node.call): node for node in graphs.nodes_by_level(graph) if node.output is not graph.input}
    for node in calls.values():
        if graphs.is_plain_model(node):
            outputs = [_run(_inside(node), values[id(node.parents[0])], norm_inputs)]
        else:
            if _is_norm(node):
                norm_inputs.append(NormInputs(node.operation, values[id(node.parents[0])]))
            args, kwargs = node.call.arguments.fill_in(values)
            layer = node.operation
            call = folding.in_inference(layer, cast=False) if isinstance(layer, keras.Layer) else layer
            outputs = keras.tree.flatten(call(*args, **kwargs))
        values.update((id(symbol), value) for symbol, value in zip(node.call.outputs, outputs, strict=True))
    return values[id(graph.output)]


def _length(vector):
    """|v|, with a gradient of zero at zero."""
    square = tf.reduce_sum(tf.square(vector))
    return tf.where(square > 0, tf.sqrt(tf.where(square > 0, square, 1.0)), 0.0)


def _is_norm(node):
    return isinstance(node.operation, keras.layers.BatchNormalization)


def _inside(node):
    return graphs.Graph(node.operation.inputs[0], node.operation.outputs[0])
