"""Networks of the user's in the form that the recipes train: from images in [0, 1] to logits.

A network that takes another range, or ends in a softmax or a sigmoid, would be trained without an error and wrongly. So the range
and the end are recognised; the recipe trains a copy with a scaling in front and without the activation, and the trained weights are
put back into the network itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfinv.classifier import graphs
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected
from tfinv.training import recognition
from tfinv.training.recognition import PIXELS, UNIT, Bounds, show_bounds


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """A network as a recipe trains it, and the way back.

    Attributes:
      network: from images in [0, 1] to logits, (batch, classes).
      original: the network itself.
      bounds: range of its images.
      end: "softmax" or "sigmoid" where it ends in that, else "".
      notes: phrases that say what has been done.
      is_assumed: whether nothing tells the range, so that [0, 1] is assumed.
    """

    network: keras.Model
    original: keras.Model
    bounds: Bounds = UNIT
    end: str = ""
    notes: tuple[str, ...] = ()
    is_assumed: bool = False
    _copies: tuple[tuple[keras.Layer, keras.Layer], ...] = ()

    def restore(self, trained: keras.Model, *, are_logits: bool = True) -> keras.Model:
        """Returns a trained model in the form of the network.

        Args:
          trained: `network`, whose weights are put into the network itself; or another that a recipe made of it.
          are_logits: whether that other one ends in logits, to which the network's own end is then added.
        """
        if trained is self.network:
            for layer, copy in self._copies:
                layer.set_weights(copy.get_weights())
            return self.original
        low, high = self.bounds
        images = keras.Input(trained.input_shape[1:])
        unit = images if self.bounds == UNIT else keras.layers.Rescaling(1 / (high - low), -low / (high - low))(images)
        outputs = trained(unit)
        if are_logits and self.original.output_shape[-1] == 1:
            difference = keras.layers.Dense(1, use_bias=False, trainable=False, name="second_minus_first")
            outputs = difference(outputs)
            difference.set_weights([np.array([[-1.0], [1.0]], np.float32)])
        if are_logits and self.end:
            outputs = keras.layers.Activation(self.end)(outputs)
        return keras.Model(images, outputs, name=trained.name)


def adapt(network: keras.Model, dataset: Dataset, bounds: Bounds | None = None) -> Adaptation:
    """Recognises what a network takes and gives, and returns it as a recipe trains it.

    Args:
      network: from images (batch, H, W, C) to logits, or to their softmax or sigmoid; one unit for two classes.
      dataset: the training images.
      bounds: range of its images; None to recognise it, or else to assume [0, 1].

    Returns:
      An adaptation without notes, whose network is the original, if that takes images in [0, 1] and gives logits.

    Raises:
      UserError: the network does not fit the images or the classes, has nothing to train, or gives probabilities in a way that
        can't be undone.
    """
    recognition.check_network(network, dataset)
    graph = graphs.trace(network, dataset.image_shape)
    traced = recognition.is_functional(network) and graph is not None
    function: graphs.Function = functools.partial(network, training=False)
    if traced and graph is not None:
        function = graphs.view(graph, graph.output)
    outputs = recognition.sample_outputs(function, dataset, UNIT)
    end, layer = recognition.end_of(graph) if graph is not None else ("", None)
    if (end and not traced) or (not end and recognition.are_probabilities(outputs, graph)):
        raise expected(
            "a network that ends in logits, or in Keras's softmax or sigmoid",
            f"{network.name}, whose outputs are probabilities",
            "End it in logits, for which the loss is, such as keras.layers.Dense(classes).",
        )
    single = outputs.shape[1] == 1
    source, is_assumed = "that is how it is given", False
    if bounds is None:
        bounds, source, is_assumed = _bounds(network, graph, function, dataset, 0.5 if end else 0.0)
    if bounds == UNIT and not end and not single:
        unseen = (
            f"{network.name} has no layers to look at: it gets images from 0 to 1, and its outputs are taken for logits"
        )
        if graph is None:
            return Adaptation(network, network, notes=(unseen,))
        return Adaptation(network, network, is_assumed=is_assumed)
    if not traced:
        raise _uncopyable(network, bounds)
    notes = []
    if bounds != UNIT:
        notes.append(f"{network.name} takes {show_bounds(bounds)}, since {source}: images are scaled to it")
    notes += [f"its {end} is cut off for the loss"] if end else []
    notes += ["its one unit is the logit of the second class, beside 0 for the first"] if single else []
    copies: dict[int, tuple[keras.Layer, keras.Layer]] = {}
    try:
        flat = _copy(network, _Changes(layer, bounds, copies))
    except (NotImplementedError, TypeError, ValueError) as error:  # a layer of the user's without a configuration
        raise _uncopyable(network, bounds) from error
    output = flat.outputs[0]
    if single:
        output = keras.layers.Concatenate(name="two_classes")(
            [keras.layers.Rescaling(0.0, name="zero")(output), output]
        )
    adapted = keras.Model(flat.inputs[0], output, name=network.name)
    for original, twin in copies.values():
        twin.set_weights(original.get_weights())
        if isinstance(twin, keras.layers.Normalization):
            twin.finalize_state()  # computes with what it has made of its weights
    return Adaptation(adapted, network, bounds, end, tuple(notes), is_assumed, tuple(copies.values()))


def _bounds(
    network: keras.Model, graph: graphs.Graph | None, function: graphs.Function, dataset: Dataset, threshold: float
) -> tuple[Bounds, str, bool]:
    """Returns the range that a network takes, how that is known, and whether it is assumed."""
    if graph is not None and recognition.pixel_slope(graph, dataset.image_shape) < recognition.LEAST_SLOPE:
        return PIXELS, "it scales them itself", False
    trained = recognition.looks_trained(network)
    bounds = recognition.probed_bounds(function, dataset, is_trained=trained, threshold=threshold)
    return bounds or UNIT, "it was trained on these", bounds is None


def _uncopyable(network: keras.Model, bounds: Bounds) -> UserError:
    """Returns the error of a network in another form, of which there is no copy to train."""
    low, high = bounds
    width = high - low
    change = "Give it an output for each class, as logits."
    if bounds != UNIT:
        change = f"Wrap it: keras.Model(x, network({width:g} * x + {low:g})) with x = keras.Input({network.name}'s image shape)."
    return expected(
        "a network from images in [0, 1] to logits, or a functional one, whose layers can be copied",
        f"{network.name}, a {type(network).__name__} of {show_bounds(bounds)}",
        change,
    )


@dataclasses.dataclass(frozen=True)
class _Changes:
    """Changes of a copy: the layer whose activation is left out, the range of the images, and the pairs of layers so far."""

    end: Any
    bounds: Bounds
    copies: dict[int, tuple[keras.Layer, keras.Layer]]

    def layer(self, layer: Any) -> Any:
        """Returns the copy of a layer."""
        if not isinstance(layer, keras.Layer):
            return keras.layers.Identity() if layer is self.end else layer
        if id(layer) in self.copies:
            return self.copies[id(layer)][1]
        if isinstance(layer, (keras.Sequential, keras.Model)) and recognition.is_functional(layer):
            return _copy(layer, dataclasses.replace(self, bounds=UNIT))
        config = layer.get_config()
        if layer is self.end:
            if "activation" not in config:
                return keras.layers.Identity(name=layer.name)
            config["activation"] = "linear"
        copy = type(layer).from_config(config)
        self.copies[id(layer)] = layer, copy
        return copy


def _copy(network: keras.Model, changes: _Changes) -> keras.Model:
    """Returns a functional copy of a network, with changes; weights are not copied."""
    low, high = changes.bounds
    scaling = None if changes.bounds == UNIT else keras.layers.Rescaling(high - low, low, name="to_its_range")

    def scaled(value: Any) -> Any:
        is_image = isinstance(value, keras.KerasTensor) and isinstance(
            graphs.producer(value).operation, keras.layers.InputLayer
        )
        return scaling(value) if scaling is not None and is_image else value

    def call(layer: Callable, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.layers.Identity):  # in the place of a softmax, which takes a mask
            kwargs = {}
        return layer(*keras.tree.map_structure(scaled, args), **keras.tree.map_structure(scaled, kwargs))

    flat = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    return keras.models.clone_model(flat, clone_function=changes.layer, call_function=call)
