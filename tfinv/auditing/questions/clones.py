"""Networks of the architecture under audit with new weights, trained as shadow models."""

import dataclasses
from typing import Any

import keras
import numpy as np

from tfinv import random
from tfinv.auditing.subjects.sides import Sides
from tfinv.auditing.subjects.subject import Subject
from tfinv.classifier import Classifier
from tfinv.comparison.shadow_models import query_logits
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training import networks
from tfinv.training.base import Plan
from tfinv.training.defence import Undefended
from tfinv.training.fit import fit

# Streams of seeds apart from those of other trainings.
_STREAM = 3


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Training of a clone: Adam until it fits its images as well as the model under audit fits its members.

    Attributes:
      epochs: at most.
      batch_size: images in a step.
      learning_rate: of Adam.
      seed: of weights and batches.
    """

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0


class StopWhenFit(keras.callbacks.Callback):
    """Callback that ends a training at an accuracy.

    Args:
      accuracy: on the training images.
    """

    def __init__(self, accuracy: float):
        super().__init__()
        self._accuracy = accuracy

    def on_epoch_end(self, epoch, logs=None):
        """Ends the training once the images are fit."""
        if logs and float(logs["accuracy"]) >= self._accuracy:
            self.model.stop_training = True


def trainable(subject: Subject, sides: Sides) -> keras.Model:
    """Returns the network under audit in the form that recipes train: from images in [0, 1] to logits.

    Raises:
      UserError: there is no Keras network, or none that can be trained anew; or its preprocessing is outside of it.
    """
    model, setting = subject.model() if subject.model else None, subject.setting
    if model is None:
        raise expected("a Keras model, whose architecture shadow models can have", "a model of another kind")
    if setting is not None and (setting.preprocessing or setting.channels != "rgb"):
        raise expected("a model that does its preprocessing itself", "one with preprocessing outside of it")
    network = networks.adapt(model, sides.examples).network
    clone(network, 0)
    return network


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


def train(network: keras.Model, half: Dataset, examples: Dataset, recipe: Recipe, number: int, until: float) -> Any:
    """Trains a clone, and returns its logits of all examples, (n, 1, K) float32.

    Args:
      network: of `trainable`.
      half: images to train on.
      examples: n images to predict.
      recipe: of the training.
      number: of the shadow model.
      until: accuracy on the training images at which the training ends.
    """
    seed = int(np.random.SeedSequence([recipe.seed, _STREAM, number]).generate_state(1)[0] >> 1)
    twin = clone(network, seed)
    plan = Plan(twin, half, recipe.epochs, recipe.batch_size, seed)
    training = Undefended().build(plan)
    training.compile(keras.optimizers.Adam(recipe.learning_rate))
    fit(
        training,
        half,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=seed,
        callbacks=[StopWhenFit(until)],
    )
    return query_logits(Classifier.from_keras(training.export_classifier()), examples)


def _without_seeds(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: None if key == "seed" else _without_seeds(value) for key, value in config.items()}
    return [_without_seeds(value) for value in config] if isinstance(config, list) else config
