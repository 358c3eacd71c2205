"""Evaluators: classifiers of other architectures and seeds than the victim's, which classify its reconstructions."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from functools import partial

import keras

from tfinv import models, paths, random
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected
from tfinv.training.assembly import exported, training_model
from tfinv.training.backup import trained_once
from tfinv.training.defence import Defence, Undefended
from tfinv.training.defences import defence, show
from tfinv.training.fit import fit
from tfinv.training.schedule import Schedule

# Seed of the first evaluator, far from those of victims.
EVALUATORS_SEED = 1000


def check_evaluators(specs: Sequence[str]) -> list[tuple[str, Defence]]:
    """Parses the architecture and the training of each spec.

    Args:
      specs: `architecture` or `architecture+training`, such as `cnn`, `resnet(depth=8)`, `cnn+adversarial` and
        `cnn+fast(eps=.1)`; a training is the text form of a defence.

    Raises:
      UserError: there is none, no such architecture or training, or one of them without such arguments.
    """
    if not specs:
        raise expected("at least one evaluator", "none", "Change --evaluators.")
    parsed = []
    for spec in specs:
        architecture, _, training = spec.partition("+")
        architecture = models.canonical(architecture, "Change --evaluators.")
        try:
            parsed.append((architecture, defence(training) if training else Undefended()))
        except UserError as error:
            raise expected(
                "an evaluator as ARCHITECTURE or ARCHITECTURE+TRAINING, such as cnn+adversarial",
                f"{spec!r} ({error})",
                "Change --evaluators.",
            ) from error
    return parsed


def train_evaluators(
    dataset: Dataset,
    *,
    architectures: Sequence[str],
    schedule: Schedule,
    seed: int = EVALUATORS_SEED,
    workdir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, Classifier]:
    """Trains one evaluator for each spec.

    One evaluator has false positives: adversarial examples of the victim transfer. Take three or more, of architectures that are
    not the victim's, and train one of them adversarially, since what convinces that one tends to look like the class.

    Args:
      dataset: the victim's training split; for identification, photographs that the victim never saw.
      architectures: specs as in `check_evaluators`; none should be the victim's alone.
      schedule: of each, at the learning rate of its architecture; its `validation` is ignored, as all images are trained on.
      seed: of the first; the others count up from it. It must not be a victim's.
      workdir: keeps the trained evaluators, which are then not trained again, and the backup of one whose training is killed; None
        keeps nothing.
      callbacks: of Keras, for the trainings.

    Returns:
      Classifiers by name, such as "mlp-1000" and "cnn+adversarial-1001".

    Raises:
      UserError: see `check_evaluators`, or a training does not fit its architecture or the schedule.
    """
    evaluators = {}
    for i, (architecture, training) in enumerate(check_evaluators(architectures)):
        name = f"{architecture}{'' if training == Undefended() else '+' + show(training)}-{seed + i}"
        make = partial(_train, training, dataset, _for_architecture(schedule, architecture), seed + i, callbacks)
        if workdir is None:
            model = make(None)
        else:
            folder = paths.expand(workdir)
            model = trained_once(folder / f"{name}.keras", folder / "training" / name, make)
        evaluators[name] = Classifier.from_keras(model)
    return evaluators


def check_trainings(dataset: Dataset, architectures: Sequence[str], schedule: Schedule) -> None:
    """Refuses trainings that do not fit their network or the images, before any has started; arguments as in `train_evaluators`.

    Raises:
      UserError: see `train_evaluators`.
    """
    for architecture, training in check_evaluators(architectures):
        training_model(training, dataset, _for_architecture(schedule, architecture), seed=0)


def _for_architecture(schedule: Schedule, architecture: str) -> Schedule:
    """The schedule at the learning rate of this architecture."""
    return dataclasses.replace(schedule, architecture=architecture, learning_rate=None)


def _train(
    training: Defence,
    dataset: Dataset,
    schedule: Schedule,
    seed: int,
    callbacks: Sequence[keras.callbacks.Callback],
    folder: pathlib.Path | None,
) -> keras.Model:
    with random.seeded(seed):
        model = training_model(training, dataset, schedule, seed=seed)
    fit(
        model,
        dataset,
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
        seed=seed,
        workdir=folder,
        callbacks=callbacks,
    )
    return exported(model, schedule)
