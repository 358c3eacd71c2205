"""Networks of the architecture under audit with new weights, trained as shadow models."""

import dataclasses
from typing import Any

import keras
import numpy as np

from tfinv.auditing.subjects.sides import Sides
from tfinv.auditing.subjects.subject import Subject
from tfinv.classifier import Classifier
from tfinv.comparison.shadow_models import query_logits
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training import networks
from tfinv.training.base import Plan
from tfinv.training.cloning import clone
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
