"""Networks of the architecture of another, with new weights."""

from typing import Any

import keras

from tfinv import random
from tfinv.errors import expected


def clone(network: keras.Model, seed: int) -> keras.Model:
    """Returns a network of the same architecture with new weights; what was not trained keeps its own.

    Args:
      network: functional or sequential.
      seed: of the weights.

    Raises:
      UserError: a layer can't be made anew from its configuration.
    """
    pairs: list[tuple[keras.Layer, keras.Layer]] = []

    def make(layer: keras.Layer) -> keras.Layer:
        # A configuration holds the seeds that the weights were drawn with.
        copy = type(layer).from_config(_without_seeds(layer.get_config()))
        pairs.append((layer, copy))
        return copy

    with random.seeded(seed):
        try:
            twin = keras.models.clone_model(network, clone_function=make)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise expected("a functional network of layers that can be made anew", network.name) from error
    for layer, copy in pairs:
        if not layer.trainable_weights and layer.weights and len(layer.weights) == len(copy.weights):
            copy.set_weights(layer.get_weights())
            if isinstance(copy, keras.layers.Normalization):
                copy.finalize_state()  # computes with what it has made of its weights
    return twin


def _without_seeds(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: None if key == "seed" else _without_seeds(value) for key, value in config.items()}
    return [_without_seeds(value) for value in config] if isinstance(config, list) else config
