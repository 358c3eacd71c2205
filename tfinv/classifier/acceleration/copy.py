"""A copy of a model for the gradients of attacks: the same function of the image, in fewer and cheaper operations.

In inference a batch norm is a scale and a shift for each channel, which the layer before it can take up in its weights
(Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference", section
3.2). Gradients also bear half precision, as long as the images and the decision about success do not suffer it.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfinv import fast_ops, folding, graphs

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
# What can be done, in the order in which it is told.
_FOLDED, _REARRANGED = "batch norm folded", "one-channel convolution rearranged"
_PHRASES = (_FOLDED, _REARRANGED, "bfloat16")


class GradientCopy(NamedTuple):
    """A function from images to logits, what was done to get it, and whether it computes in the model's precision."""

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
    """Makes the copy with the weights of now, so later training does not show in it.

    Layers that are not Keras's own, and calls of them, stay as they are and are shared with the model. The last dense layer,
    the preprocessing of images and the first convolution are never in half precision: they cost little, and what follows depends
    on their digits. In bfloat16 an image near 1 has steps of 1/256, which is more than a small eps.

    Args:
      parts: the graphs from images to logits, each applied to the output of the one before.
      logits: the function they should compute.
      images: (n, H, W, C) float32, to compare the two on.
      fold_batch_norm: whether to fold batch norm into the layer before, or else make it a scale and a shift.
      precision: "bfloat16", or "float32" for that of the model.

    Returns:
      None if there is nothing to gain, or no copy that agrees with `logits` up to 1e-3 of their range, in half precision
      up to 0.1 of it.
    """
    half = precision == "bfloat16"
    if not parts or not (fold_batch_norm or half):
        return None
    exact = not any(_computes_in_half(graph) for graph in parts)
    plain = _verified(parts, logits, images, fold_batch_norm, None, exact)
    if half:
        # Without folding if that went wrong, in which case `plain` is None.
        lowered = _verified(parts, logits, images, fold_batch_norm and plain is not None, precision, False)
        plain = lowered or plain
    return plain if plain and plain.source else None


def _verified(
    parts: Sequence[graphs.Graph],
    logits: graphs.Function,
    images: np.ndarray,
    fold: bool,
    precision: str | None,
    exact: bool,
) -> GradientCopy | None:
    """The copy, or None if it can't be made, is not differentiable, or is another function than the model."""
    copier = _Copier(fold, precision)
    x = tf.constant(images)
    try:
        functions = [copier.graph(graph, graph is parts[0], graph is parts[-1]) for graph in parts]

        def call(x: tf.Tensor) -> tf.Tensor:
            for function in functions:
                x = function(x)
            return tf.cast(x, tf.float32)

        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = call(x)
        slope = tape.gradient(outputs, x)
    except Exception:  # a model of any kind may fail in any way, and then it serves itself
        return None
    found, wanted = np.asarray(outputs), np.asarray(logits(x))
    error = np.abs(found - wanted).max() if found.shape == wanted.shape else np.inf
    close = error <= (1e-3 if exact else 0.1) * np.ptp(wanted)
    if not close or slope is None or not np.isfinite(slope).all():
        return None
    return GradientCopy(call, ", ".join(phrase for phrase in _PHRASES if phrase in copier.done), exact)


class _Copier:
    """Copies graphs; remembers what it did in `done`, and layers that are called twice in `copies`."""

    def __init__(self, fold: bool, precision: str | None):
        self.fold, self.precision = fold, precision
        self.done: set[str] = set()
        self.copies: dict[tuple[int, int, bool, bool], Any] = {}

    def graph(self, graph: graphs.Graph, first: bool, last: bool) -> graphs.Function:
        """A function from the graph's input to its output; `first` if that is an image, `last` if its output are the logits."""
        nodes = [node for node in _distinct(graph) if node.output is not graph.input]
        folds = _foldable(graph, nodes) if self.fold else {}
        folded = {id(norm) for norm in folds.values()}
        first_call = next((node.call for node in nodes if _looks_first(node)), None) if first else None
        last_call = _before_ignored(graph.output).call if last else None
        steps = []
        for node in nodes:
            if _is_ignored(node) or id(node) in folded:
                steps.append((node.call, None))
                continue
            norm = folds.get(id(node.call))
            ends = node.call is first_call, node.call is last_call
            steps.append((node.call, self.operation(node, norm and norm.operation, *ends)))
        if folded:
            self.done.add(_FOLDED)

        def run(x: tf.Tensor) -> tf.Tensor:
            # An original in half precision begins with such an input; elsewhere casts are the layers' own.
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
        """What to call in place of an operation, with the batch norm behind it if that is to be folded."""
        key = (id(node.operation), id(norm), first, last)
        if key not in self.copies:
            self.copies[key] = self._copy(node, norm, first, last)
        return self.copies[key]

    def _copy(self, node: graphs.Node, norm: Any, first: bool, last: bool) -> Any:
        layer = node.operation
        if self.fold and _is_channel_norm(node):
            self.done.add(_FOLDED)
            return _alone(fast_ops.scale_and_shift(*folding.scale_and_shift(layer)))
        if graphs.is_plain_model(node):
            inside = graphs.Graph(layer.inputs[0], layer.outputs[0])
            return _alone(self.graph(inside, first, last))
        if not isinstance(layer, keras.Layer):
            return layer
        dense_last = last and type(layer) is keras.layers.Dense
        precision = "float32" if self.precision and (first or dense_last) else self.precision
        if not folding.is_known(layer) or not (precision or layer.weights):
            return folding.in_inference(layer, bool(self.precision))
        copy = folding.rebuild(layer, precision, norm)
        if precision == "bfloat16":
            self.done.add("bfloat16")
        if type(copy) is keras.layers.Conv2D and fast_ops.suits_one_channel(copy):
            self.done.add(_REARRANGED)
            return _alone(fast_ops.one_channel_convolution(copy))
        return folding.in_inference(copy, False)


def _looks_first(node: graphs.Node) -> bool:
    """Whether it convolves what it is given, or is a model that may."""
    return type(node.operation) is keras.layers.Conv2D or graphs.is_plain_model(node)


def _distinct(graph: graphs.Graph) -> list[graphs.Node]:
    """The calls in an order of execution, those of several outputs once."""
    return list({id(node.call): node for node in graphs.nodes_by_level(graph)}.values())


def _foldable(graph: graphs.Graph, nodes: Sequence[graphs.Node]) -> dict[int, graphs.Node]:
    """By the id of a layer's call, the batch norm that can be folded into it."""
    uses = collections.Counter(id(parent) for node in nodes for parent in node.parents)
    uses[id(graph.output)] += 1
    folds = {}
    for node in nodes:
        if not _is_channel_norm(node):
            continue
        tensor = node.parents[0]
        while uses[id(tensor)] == 1 and tensor is not graph.input:
            before = graphs.producer(tensor)
            if not _is_ignored(before):
                if folding.can_fold(before.operation):
                    folds[id(before.call)] = node
                break
            tensor = before.parents[0]
    return folds


def _before_ignored(tensor: graphs.KerasTensor) -> graphs.Node:
    """The call that made a tensor, but for those that do nothing in inference."""
    node = graphs.producer(tensor)
    return _before_ignored(node.parents[0]) if _is_ignored(node) else node


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


def _alone(function: graphs.Function) -> Any:
    """A function of the first argument, without the mask and the mode that a call may carry."""
    return lambda x, *_, **__: function(x)
