"""The poster's models: one network trained in each of its four experiments."""

import dataclasses
import pathlib
import time
from typing import Any

import keras
import numpy as np

from tfinv import models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.intervals import rate_interval
from tfinv.recipes.workdir import Workdir
from tfinv.training.destruction import EXPERIMENTS, DestructionTraining
from tfinv.training.fit import fit
from tfinv.training.images import ReconstructionImages
from tfinv.training.rates import default_rate


@dataclasses.dataclass(frozen=True)
class Defence:
    """How the poster's models are trained; see `DestructionTraining` for the meaning of the last four.

    Attributes:
      architecture: a key of `tfinv.models.MODELS`.
      epochs: passes over the training set.
      batch_size: examples a step.
      learning_rate: of Adam at the start, falling to zero along a cosine; None is `default_rate`. The decoder has 1e-3.
      strength: lambda.
      weight: of the reconstruction loss.
      bound: of the reversed loss.
      ramp: fraction of the training over which lambda rises as in DANN; 0 for none.
      decoder_steps: steps of the decoder for one of the encoder.
    """

    architecture: str = "cnn"
    epochs: int = 2
    batch_size: int = 128
    learning_rate: float | None = None
    strength: float = 10.0
    weight: float = 1.0
    bound: str = "class_mean"
    ramp: float = 0.0
    decoder_steps: int = 2


def train_experiment(
    experiment: str,
    train: Dataset,
    test: Dataset,
    defence: Defence,
    workdir: Workdir,
    *,
    seed: int = 0,
    verbose: int = 0,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Trains the classifier of one experiment, or reads it if the workdir has it.

    Args:
      experiment: one of `EXPERIMENTS`.
      train: training split.
      test: the split whose accuracy is reported.
      defence: hyper-parameters.
      workdir: keeps the model, its backups and its TensorBoard logs.
      seed: of weights, order of examples and shuffled targets.
      verbose: as Keras's.

    Returns:
      A plain Keras model from [0, 1] images to logits, and its rows of kind "training".
    """
    name = f"{defence.architecture}-{experiment}-{seed}"
    begin = time.perf_counter()

    def make(folder: pathlib.Path) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = training_model(experiment, train, defence, seed)
        watch = [] if experiment == "baseline" else [ReconstructionImages(test.images[:10], folder / "tensorboard")]
        fit(
            model,
            train,
            epochs=defence.epochs,
            batch_size=defence.batch_size,
            seed=seed,
            workdir=folder,
            callbacks=watch,
            verbose=verbose,
        )
        return model.export_classifier()

    model = workdir.model(name, make)
    seconds = time.perf_counter() - begin

    def rows() -> list[dict[str, Any]]:
        predicted = Classifier.from_keras(model).predict(test.images).argmax(1)
        hits, n = int(np.sum(predicted == test.labels)), len(test)
        keys = {"kind": "training", "experiment": experiment, "seed": seed, "epochs": defence.epochs}
        found = {"metric": "test_accuracy", "value": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}
        return [keys | found | {"seconds": round(seconds, 1)}]

    return model, workdir.json(f"training-{name}", rows)


def training_model(experiment: str, train: Dataset, defence: Defence, seed: int) -> DestructionTraining:
    """The compiled training model of one experiment."""
    steps = defence.epochs * (len(train) // min(defence.batch_size, len(train)))
    model = DestructionTraining(
        models.build(defence.architecture, train.image_shape, train.num_classes),
        experiment,
        train.images,
        train.labels,
        strength=defence.strength,
        weight=defence.weight,
        bound=defence.bound,
        ramp_steps=round(defence.ramp * steps),
        decoder_steps=defence.decoder_steps,
        seed=seed,
    )
    high = defence.learning_rate or default_rate(defence.architecture, train.image_shape)
    rate = keras.optimizers.schedules.CosineDecay(high, steps)
    model.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(1e-3))
    return model


__all__ = ["EXPERIMENTS", "Defence", "train_experiment", "training_model"]
