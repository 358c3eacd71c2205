"""Evaluators: classifiers of other architectures and seeds than the victim's, which judge what a reconstruction shows."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from functools import partial

import keras

from tfinv import models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected
from tfinv.training.assembly import exported, training_model
from tfinv.training.backup import trained_once
from tfinv.training.defence import Defence, Undefended
from tfinv.training.defences import defence, show
from tfinv.training.fit import fit
from tfinv.training.schedule import Schedule

# Of the first evaluator: far from those that victims have.
JUDGES_SEED = 1000


def check_evaluators(specs: Sequence[str]) -> list[tuple[str, Defence]]:
    """Architecture and training of each spec.

    Args:
      specs: `architecture` or `architecture+training`, such as `cnn`, `resnet(depth=8)`, `cnn+adversarial` and
        `cnn+fast(eps=.1)`; a training is the text form of a defence.

    Raises:
      UserError: there is none, no such architecture or training, or one of them without such arguments.
    """
    if not specs:
        raise expected("at least one evaluator", "none", "Change --evaluators.")
    found = []
    for spec in specs:
        architecture, _, training = spec.partition("+")
        architecture = models.normal(architecture, "Change --evaluators.")
        try:
            found.append((architecture, defence(training) if training else Undefended()))
        except UserError as error:
            raise expected(
                "an evaluator as ARCHITECTURE or ARCHITECTURE+TRAINING, such as cnn+adversarial",
                f"{spec!r} ({error})",
                "Change --evaluators.",
            ) from error
    return found


def train_evaluators(
    dataset: Dataset,
    *,
    architectures: Sequence[str],
    schedule: Schedule,
    seed: int = JUDGES_SEED,
    workdir: str | os.PathLike | None = None,
) -> dict[str, Classifier]:
    """Trains one evaluator a spec.

    One evaluator has false positives: adversarial examples of the victim transfer. Take three or more, of architectures that are
    not the victim's, and train one of them adversarially, since what convinces that one tends to look like the class.

    Args:
      dataset: the victim's training split; for identification, photographs that the victim never saw.
      architectures: specs as in `check_evaluators`; none should be the victim's alone.
      schedule: of each, at the rate of its own architecture; its `validation` counts for nothing, as all images are learnt from.
      seed: of the first; the others follow. It must not be a victim's.
      workdir: keeps the trained evaluators, which are then not trained again, and the backup of one whose training is killed; None
        keeps nothing.

    Returns:
      Classifiers by name, such as "mlp-1000" and "cnn+adversarial-1001".

    Raises:
      UserError: see `check_evaluators`, or a training does not fit its architecture or the schedule.
    """
    found = {}
    for i, (architecture, training) in enumerate(check_evaluators(architectures)):
        name = f"{architecture}{'' if training == Undefended() else '+' + show(training)}-{seed + i}"
        own = _of(architecture, schedule)
        make = partial(_train, training, dataset, own, seed + i)
        if workdir is None:
            model = make(None)
        else:
            folder = pathlib.Path(workdir)
            model = trained_once(folder / f"{name}.keras", folder / "training" / name, make)
        found[name] = Classifier.from_keras(model)
    return found


def check_trainings(dataset: Dataset, architectures: Sequence[str], schedule: Schedule) -> None:
    """Raises what `train_evaluators` would, when it is one's turn, of a training that its network or images don't fit.

    The arguments are its own.
    """
    for architecture, training in check_evaluators(architectures):
        training_model(training, dataset, _of(architecture, schedule), seed=0)


def _of(architecture: str, schedule: Schedule) -> Schedule:
    return dataclasses.replace(schedule, architecture=architecture, learning_rate=None)


def _train(
    training: Defence, dataset: Dataset, schedule: Schedule, seed: int, folder: pathlib.Path | None
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = training_model(training, dataset, schedule, seed=seed)
    fit(model, dataset, epochs=schedule.epochs, batch_size=schedule.batch_size, seed=seed, workdir=folder)
    return exported(model, schedule)
