"""One classifier trained with one defence: from architecture and data set to a plain Keras model and its figures."""

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
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.defence import Defence
from tfinv.training.defences import show
from tfinv.training.fit import fit
from tfinv.training.rates import default_rate


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What a training needs beside the defence.

    Attributes:
      architecture: a key of `tfinv.models.MODELS`.
      epochs: passes over the training set.
      batch_size: examples a step.
      learning_rate: of Adam at the start, falling to zero along a cosine; None is `default_rate`.
    """

    architecture: str = "cnn"
    epochs: int = 2
    batch_size: int = 128
    learning_rate: float | None = None


def train_defended(
    defence: Defence,
    train: Dataset,
    test: Dataset,
    schedule: Schedule,
    workdir: Workdir,
    *,
    label: str | None = None,
    seed: int = 0,
    verbose: int = 0,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Trains a classifier with a defence, or reads it if the workdir has it.

    Args:
      defence: hyper-parameters.
      train: training split.
      test: the split whose accuracy is reported.
      schedule: architecture and optimisation.
      workdir: keeps the model, as models/ARCHITECTURE-LABEL-SEED.keras, its backups and its TensorBoard logs.
      label: the experiment's name in rows and files; None is the defence's text form.
      seed: of weights, order of examples and every draw of the defence.
      verbose: as Keras's.

    Returns:
      A plain Keras model from [0, 1] images to logits (to rounded confidences with `rounding`), and its rows of kind "training":
      the test accuracy, and what the defence guarantees or cost.

    Raises:
      UserError: the defence does not fit the architecture, or the training broke down.
    """
    label = show(defence) if label is None else label
    name = f"{schedule.architecture}-{label}-{seed}"
    begin = time.perf_counter()

    def make(folder: pathlib.Path) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = training_model(defence, train, schedule, seed=seed)
        fit(
            model,
            train,
            epochs=schedule.epochs,
            batch_size=schedule.batch_size,
            seed=seed,
            workdir=folder,
            callbacks=defence.callbacks(test.images[:10], folder / "tensorboard"),
            verbose=verbose,
        )
        return model.export_classifier()

    model = workdir.model(name, make)
    seconds = time.perf_counter() - begin

    def rows() -> list[dict[str, Any]]:
        predicted = Classifier.from_keras(model).predict(test.images).argmax(1)
        hits, n = int(np.sum(predicted == test.labels)), len(test)
        keys = {"kind": "training", "experiment": label, "seed": seed, "epochs": schedule.epochs}
        found = {"metric": "test_accuracy", "value": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}
        plan = Plan(model, train, schedule.epochs, schedule.batch_size, seed)
        costs = [keys | {"metric": metric, "value": value} for metric, value in defence.costs(plan).items()]
        return [keys | found | {"seconds": round(seconds, 1)}, *costs]

    return model, workdir.json(f"training-{name}", rows)


def training_model(defence: Defence, train: Dataset, schedule: Schedule, *, seed: int = 0) -> ClassifierTraining:
    """The compiled training model of a defence; seed Keras's own draws, of the weights, first."""
    network = models.build(schedule.architecture, train.image_shape, train.num_classes)
    plan = Plan(network, train, schedule.epochs, schedule.batch_size, seed)
    model = defence.training(plan)
    high = schedule.learning_rate or default_rate(schedule.architecture, train.image_shape)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(high, plan.steps)))
    return model
