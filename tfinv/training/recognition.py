"""Recognition of what a network takes and gives, by its structure and by what it says of the training images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from scipy import stats

from tfinv.classifier import graphs
from tfinv.datasets import Dataset
from tfinv.errors import expected

Bounds = tuple[float, float]

UNIT: Bounds = (0.0, 1.0)
PIXELS: Bounds = (0.0, 255.0)
_CENTRED: Bounds = (-1.0, 1.0)
# Change of a network's first weighted layer's input per change of a pixel: 1 to 5 for networks of [0, 1], 1/255 to 5/255 for those
# of 0 to 255.
LEAST_SLOPE = 1 / 30
_PROBED = 200  # images that tell a range in which a network has been trained
_BATCH = 50  # of them at once, which may be photographs
_SIGNIFICANCE = 1e-6
_ENDS = {
    keras.activations.softmax: "softmax",
    keras.activations.sigmoid: "sigmoid",
    keras.ops.softmax: "softmax",
    keras.ops.sigmoid: "sigmoid",
}


def check_network(network: Any, dataset: Dataset) -> None:
    """Refuses what no recipe can train on these images."""
    if not isinstance(network, keras.Model):
        raise expected("a Keras model to train", type(network).__name__, "Change the plan's classifier.")
    if not network.built:
        raise expected("a built network", f"{network.name} without weights", "Call it on a batch of images first.")
    if not network.trainable_weights:
        raise expected(
            "a network with weights to train", f"{network.name}, all of them frozen", "Set network.trainable = True."
        )
    inputs = keras.tree.flatten(getattr(network, "inputs", None) or [])
    if len(inputs) > 1:
        raise expected(
            "a network with one input", f"{network.name} with {len(inputs)}", "Wrap it in one with a single."
        )
    if not inputs:
        return
    shape = tuple(inputs[0].shape[1:])
    if len(shape) != 3 or any(
        size not in (None, pixels) for size, pixels in zip(shape, dataset.image_shape, strict=True)
    ):
        raise expected(
            f"a network for images of {dataset.image_shape}",
            f"{network.name} for {shape}",
            "Change its input, or load the images with its image_size.",
        )
    if not keras.backend.is_float_dtype(inputs[0].dtype):
        raise expected(
            "a network of float images",
            f"{network.name} of {inputs[0].dtype}, to which images in [0, 1] are 0 or 1",
            'Rebuild it on keras.Input(shape, dtype="float32").',
        )


def check_form(network: keras.Model) -> None:
    """Refuses a network that a recipe would train without an error and wrongly, as far as its layers show.

    Raises:
      UserError: it scales its images inside, or ends in a softmax or a sigmoid.
    """
    shape = tuple(network.inputs[0].shape[1:]) if is_functional(network) else (None,)
    graph = None if None in shape else graphs.trace(network, shape)
    if graph is None:
        return
    end = end_of(graph)[0]
    scales = len(shape) == 3 and pixel_slope(graph, shape) < LEAST_SLOPE
    if end or scales:
        raise expected(
            "a network from images in [0, 1] to logits",
            f"{network.name}, which " + ("takes images from 0 to 255" if scales else f"ends in a {end}"),
            "Use defence(...).training(Plan(network, dataset)), which trains it in its own form.",
        )


def sample_outputs(network: graphs.Function, dataset: Dataset, bounds: Bounds, n: int = 8) -> np.ndarray:
    """Returns the outputs for the first images, (n, classes) float32, in a range.

    Raises:
      UserError: there is not one row an image, or fewer columns than classes.
    """
    low, high = bounds
    count = min(n, len(dataset))
    parts = [dataset.images_at(slice(start, min(start + _BATCH, count))) for start in range(0, count, _BATCH)]
    outputs = keras.tree.flatten(network(low + (high - low) * parts[0]))
    shapes = [tuple(output.shape) for output in outputs]
    if len(outputs) != 1 or len(shapes[0]) != 2:
        raise expected("a network with one row of outputs an image", shapes, "Pool or flatten, or choose one output.")
    columns, classes = shapes[0][1], dataset.num_classes
    if columns < classes and (columns, classes) != (1, 2):
        raise expected(f"an output for each of {classes} classes", f"one with {columns}", "Change its head.")
    others = [keras.tree.flatten(network(low + (high - low) * part))[0] for part in parts[1:]]
    arrays = [keras.ops.convert_to_numpy(output) for output in (outputs[0], *others)]
    return np.concatenate(arrays).astype(np.float32)


def are_probabilities(outputs: np.ndarray, graph: graphs.Graph | None) -> bool:
    """Whether rows sum to one; or a single column is within [0, 1], and not by chance as that of a linear layer may be."""
    if not ((outputs >= 0).all() and (outputs <= 1).all()):
        return False
    if outputs.shape[1] > 1:
        return bool(np.allclose(outputs.sum(1), 1, atol=0.01))
    operation = graphs.producer(graph.output).operation if graph is not None else None
    return getattr(operation, "activation", None) is not keras.activations.linear


def is_functional(network: keras.Model) -> bool:
    """Whether a network is of Keras's own kinds, whose graph is all that it does."""
    return hasattr(network, "inputs") and type(network).__module__.startswith("keras.")


def end_of(graph: graphs.Graph) -> tuple[str, Any]:
    """Returns "softmax" or "sigmoid" and the layer that applies it, at the end of a graph or of a model nested there."""
    if graph.output is graph.input:
        return "", None
    node = graphs.producer(graph.output)
    operation = node.operation
    if graphs.is_plain_model(node):
        nested = graphs.trace(operation, node.parents[0].shape[1:])
        return end_of(nested) if nested else ("", None)
    name = type(operation).__name__.lower()
    if name in ("softmax", "sigmoid"):
        return name, operation
    activation = getattr(operation, "activation", None)
    if activation in _ENDS:
        return _ENDS[activation], operation
    is_linear = isinstance(operation, keras.layers.Activation) and activation is keras.activations.linear
    if len(node.parents) == 1 and (is_linear or isinstance(operation, (keras.layers.Identity, keras.layers.Dropout))):
        return end_of(graph._replace(output=node.parents[0]))
    return "", None


def pixel_slope(graph: graphs.Graph, shape: tuple[int, int, int]) -> float:
    """Returns how much the input of the first layer with weights changes with the pixels, in images in [0, 1]."""
    rng = np.random.default_rng(0)
    first, second = (rng.uniform(size=(4, *shape)).astype(np.float32) for _ in range(2))
    change = float(np.std(second - first))
    while True:
        for node in graphs.nodes_by_level(graph):
            weighted = isinstance(node.operation, keras.Layer) and node.operation.weights
            if weighted and not isinstance(node.operation, keras.layers.Normalization):
                break
        else:
            return 1.0
        function = graphs.view(graph, node.parents[0])
        first, second = (np.asarray(function(x), np.float32) for x in (first, second))
        nested = graphs.trace(node.operation, first.shape[1:]) if isinstance(node.operation, keras.Model) else None
        if nested is None:
            return float(np.std(second - first)) / change
        graph = nested


def looks_trained(network: keras.Model) -> bool:
    """Whether a bias or a statistic of a network has moved from where initialisers put all of its entries."""
    vectors = (np.asarray(weight) for weight in network.weights if len(weight.shape) == 1 and weight.shape[0] > 1)
    return any(np.ptp(vector) > 0 for vector in vectors if np.issubdtype(vector.dtype, np.floating))


def probed_bounds(network: graphs.Function, dataset: Dataset, *, is_trained: bool, threshold: float) -> Bounds | None:
    """Returns the range in which a trained network is right far more often than in [0, 1], or [0, 1] if it is right there.

    A network with random weights may tell a few classes apart by luck. So with fewer than five classes it must have been trained,
    and be right on more than half of what the commonest class leaves.

    Args:
      network: of all its layers.
      dataset: the training images.
      is_trained: see `looks_trained`.
      threshold: from which a single output says the second class.

    Returns:
      None where no range stands out.
    """
    few = dataset.num_classes < 5
    if few and not is_trained:
        return None
    labels = dataset.labels[:_PROBED]

    def is_right(bounds: Bounds) -> np.ndarray:
        outputs = sample_outputs(network, dataset, bounds, len(labels))
        return (outputs[:, 0] > threshold if outputs.shape[1] == 1 else outputs.argmax(1)) == labels

    right = {bounds: is_right(bounds) for bounds in (UNIT, PIXELS, _CENTRED)}
    best = max(right, key=lambda bounds: right[bounds].sum())
    commonest = np.bincount(labels).max() / len(labels)
    if right[best].mean() < ((1 + commonest) / 2 if few else 0.5):
        return None
    better, worse = (int(np.sum(right[a] & ~right[b])) for a, b in ((best, UNIT), (UNIT, best)))
    if not better:
        return UNIT
    is_better = stats.binomtest(better, better + worse, 0.5, alternative="greater").pvalue < _SIGNIFICANCE
    return best if is_better else UNIT


def show_bounds(bounds: Bounds) -> str:
    """Returns a range as a phrase."""
    return f"images from {bounds[0]:g} to {bounds[1]:g}"
