"""A copy of a model for the gradients of attacks: the same function of the image, in fewer and cheaper operations.

In inference, batch norm is a scale and a shift per channel, which can be folded into the weights of the preceding layer
(Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", section
3.2). Gradients may also be computed in half precision, as long as images and the decision about success are not.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier import graphs
from tfinv.classifier.acceleration import fast_ops, folding
from tfinv.classifier.gradients import input_gradient

_IGNORED_IN_INFERENCE = (
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)
_HALF = ("bfloat16", "float16")
# Optimisations, in the order in which `GradientCopy.source` lists them.
_FOLDED, _REARRANGED = "batch norm folded", "one-channel convolution rearranged"
_PHRASES = (_FOLDED, _REARRANGED, "bfloat16")


class GradientCopy(NamedTuple):
    """A function from images to logits, the optimisations in it, and whether it computes in the model's precision."""

    logits: graphs.Function
    source: str
    exact: bool


def copy_for_gradients(
    parts: Sequence[graphs.Graph],
    logits: graphs.Function,
    images: np.ndarray,
    *,
    fold_batch_norm: bool = True,
    precision: str = "float32",
) -> GradientCopy | None:
    """Copies the model with its current weights; later training does not change the copy.

    Custom layers are not copied but shared with the model. The last dense layer, the preprocessing of images and the first
    convolution are never in half precision: they cost little, and later layers depend on their precision. In bfloat16, pixels
    near 1 have steps of 1/256, which is more than a small eps.

    Args:
      parts: the graphs from images to logits, each applied to the output of the one before.
      logits: the function they should compute.
      images: (n, H, W, C) float32, to compare the two on.
      fold_batch_norm: whether to fold batch norm into the preceding layer, or else replace it by a scale and a shift.
      precision: "bfloat16", or "float32" for that of the model.

    Returns:
      None if there is nothing to optimise, or if no copy agrees with `logits` up to 1e-3 of their range, or 0.1 of it in
      half precision.
    """
    half = precision == "bfloat16"
    if not parts or not (fold_batch_norm or half):
        return None
    exact = not any(_computes_in_half(graph) for graph in parts)
    copy = _verified_copy(parts, logits, images, fold_batch_norm, None, exact)
    if half:
        # Without folding if that failed, in which case `copy` is None.
        half_copy = _verified_copy(parts, logits, images, fold_batch_norm and copy is not None, precision, False)
        copy = half_copy or copy
    return copy if copy and copy.source else None


def _verified_copy(
    parts: Sequence[graphs.Graph],
    logits: graphs.Function,
    images: np.ndarray,
    fold: bool,
    precision: str | None,
    exact: bool,
) -> GradientCopy | None:
    """Returns the copy, or None if it cannot be built, is not differentiable, or differs from the model."""
    copier = _Copier(fold, precision)
    x = tf.constant(images)
    try:
        functions = [copier.graph(graph, graph is parts[0], graph is parts[-1]) for graph in parts]

        def call(x: tf.Tensor) -> tf.Tensor:
            for function in functions:
                x = function(x)
            return tf.cast(x, tf.float32)

        outputs, gradient = input_gradient(call, x)
    except Exception:  # a model of any kind may fail in any way, and is then used itself
        return None
    copied, original = np.asarray(outputs), np.asarray(logits(x))
    error = np.abs(copied - original).max() if copied.shape == original.shape else np.inf
    close = error <= (1e-3 if exact else 0.1) * np.ptp(original)
    if not close or gradient is None or not np.isfinite(gradient).all():
        return None
    return GradientCopy(call, ", ".join(phrase for phrase in _PHRASES if phrase in copier.optimisations), exact)


class _Copier:
    """Copies graphs. Collects its `optimisations`, and keeps the `copies` of layers that are called twice."""

    def __init__(self, fold: bool, precision: str | None):
        self.fold, self.precision = fold, precision
        self.optimisations: set[str] = set()
        self.copies: dict[tuple[int, int, bool, bool], Any] = {}

    def graph(self, graph: graphs.Graph, first: bool, last: bool) -> graphs.Function:
        """Copies a graph as a function; `first` if its input is the image, `last` if its output are the logits."""
        nodes = [node for node in _distinct_calls(graph) if node.output is not graph.input]
        folds = _foldable(graph, nodes) if self.fold else {}
        folded = {id(norm) for norm in folds.values()}
        first_call = next((node.call for node in nodes if _may_convolve(node)), None) if first else None
        last_call = _last_active_node(graph.output).call if last else None
        steps = []
        for node in nodes:
            if _is_ignored(node) or id(node) in folded:
                steps.append((node.call, None))
                continue
            norm = folds.get(id(node.call))
            ends = node.call is first_call, node.call is last_call
            steps.append((node.call, self.operation(node, norm and norm.operation, *ends)))
        if folded:
            self.optimisations.add(_FOLDED)

        def run(x: tf.Tensor) -> tf.Tensor:
            # A model in half precision starts with a cast of its input; all other casts belong to layers.
            floats = x.dtype.is_floating and self.precision
            values = {id(graph.input): x if floats else tf.cast(x, graph.input.dtype)}
            for call, function in steps:
                if function is None:
                    values[id(call.outputs[0])] = values[id(call.input_tensors[0])]
                    continue
                args, kwargs = call.arguments.fill_in(values)
                outputs = keras.tree.flatten(function(*args, **kwargs))
                values.update((id(symbol), value) for symbol, value in zip(call.outputs, outputs, strict=True))
            return values[id(graph.output)]

        return run

    def operation(self, node: graphs.Node, norm: Any, first: bool, last: bool) -> Any:
        """Returns the replacement of an operation, with the batch norm `norm` folded into it unless that is None."""
        key = (id(node.operation), id(norm), first, last)
        if key not in self.copies:
            self.copies[key] = self._copy(node, norm, first, last)
        return self.copies[key]

    def _copy(self, node: graphs.Node, norm: Any, first: bool, last: bool) -> Any:
        layer = node.operation
        if self.fold and _is_channel_norm(node):
            self.optimisations.add(_FOLDED)
            return _of_first_argument(fast_ops.scale_and_shift(*folding.scale_and_shift(layer)))
        if graphs.is_plain_model(node):
            nested = graphs.Graph(layer.inputs[0], layer.outputs[0])
            return _of_first_argument(self.graph(nested, first, last))
        if not isinstance(layer, keras.Layer):
            return layer
        dense_last = last and type(layer) is keras.layers.Dense
        precision = "float32" if self.precision and (first or dense_last) else self.precision
        if not folding.is_known(layer) or not (precision or layer.weights):
            return folding.in_inference(layer, bool(self.precision))
        copy = folding.rebuild(layer, precision, norm)
        if precision == "bfloat16":
            self.optimisations.add("bfloat16")
        if type(copy) is keras.layers.Conv2D and fast_ops.suits_one_channel(copy):
            self.optimisations.add(_REARRANGED)
            return _of_first_argument(fast_ops.one_channel_convolution(copy))
        return folding.in_inference(copy, False)


def _may_convolve(node: graphs.Node) -> bool:
    """Whether the node is a convolution, or a nested model that may start with one."""
    return type(node.operation) is keras.layers.Conv2D or graphs.is_plain_model(node)


def _distinct_calls(graph: graphs.Graph) -> list[graphs.Node]:
    """Returns the calls in an order of execution; a call with several outputs occurs once."""
    return list({id(node.call): node for node in graphs.nodes_by_level(graph)}.values())


def _foldable(graph: graphs.Graph, nodes: Sequence[graphs.Node]) -> dict[int, graphs.Node]:
    """Returns the batch norm to fold into each layer, by the id of the layer's call."""
    uses = collections.Counter(id(parent) for node in nodes for parent in node.parents)
    uses[id(graph.output)] += 1
    folds = {}
    for node in nodes:
        if not _is_channel_norm(node):
            continue
        tensor = node.parents[0]
        while uses[id(tensor)] == 1 and tensor is not graph.input:
            previous = graphs.producer(tensor)
            if not _is_ignored(previous):
                if folding.can_fold(previous.operation):
                    folds[id(previous.call)] = node
                break
            tensor = previous.parents[0]
    return folds


def _last_active_node(tensor: graphs.KerasTensor) -> graphs.Node:
    """Returns the last call before a tensor that is not the identity in inference."""
    node = graphs.producer(tensor)
    return _last_active_node(node.parents[0]) if _is_ignored(node) else node


def _is_ignored(node: graphs.Node) -> bool:
    kind = type(node.operation)
    linear = kind is keras.layers.Activation and node.operation.activation is keras.activations.linear
    return len(node.parents) == 1 and (linear or kind in _IGNORED_IN_INFERENCE)


def _is_channel_norm(node: graphs.Node) -> bool:
    layer = node.operation
    if type(layer) is not keras.layers.BatchNormalization or len(node.parents) != 1:
        return False
    return layer.axis in (-1, len(node.parents[0].shape) - 1)


def _computes_in_half(graph: graphs.Graph) -> bool:
    for node in graphs.nodes_by_level(graph):
        layers = node.operation._flatten_layers() if isinstance(node.operation, keras.Layer) else ()
        if any(layer.compute_dtype in _HALF for layer in layers):
            return True
    return False


def _of_first_argument(function: graphs.Function) -> Any:
    """Drops all arguments but the first, such as a mask or the training mode."""
    return lambda x, *_, **__: function(x)
