"""Training of one classifier with one defence: from architecture and data set to a plain Keras model and its rows."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv import attacks, random, specs
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.statistics.intervals import rate_interval
from tfinv.runs.workdir import Workdir
from tfinv.training.assembly import check_fit, exported, recipe_of, training_model
from tfinv.training.base import Plan
from tfinv.training.clock import Clock
from tfinv.training.defence import Defence
from tfinv.training.defences import show
from tfinv.training.fit import Diverged, fit
from tfinv.training.robust import Robust
from tfinv.training.schedule import Schedule
from tfinv.training.watching import Record, Watch


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
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Trains a classifier with a defence, or reads it if the workdir has it.

    Args:
      defence: hyper-parameters.
      train: training split.
      test: the split whose accuracy is reported.
      schedule: architecture and optimisation; the validation images that it holds out are not trained on.
      workdir: keeps the model, as models/NETWORK-LABEL-SEED.keras, its backups and its TensorBoard logs.
      label: the experiment's name in rows and files; None is the defence's text form.
      seed: of weights, order of examples and every draw of the defence.
      verbose: Keras's.
      strategy: of `tfinv.training.distribution`; None is none. Its workers share the workdir, to which only the chief's `writes`.

    Returns:
      A plain Keras model from [0, 1] images to logits (to rounded confidences with `rounding`; a network of the user's in its own
      form), and its rows of kind "training":
      the test accuracy, the guarantees and costs of the defence, and with validation images the best epoch, whose weights the
      model has. No rows where the workdir does not write.

    Raises:
      UserError: the defence does not fit the architecture, or the training broke down.
    """
    label = show(defence) if label is None else label
    name = f"{schedule.network_name}-{label}-{seed}"
    best = workdir.path / "training" / name / "best.npz"
    images, validation = schedule.split(train)

    def make(folder: pathlib.Path) -> keras.Model:
        with random.seeded(seed), (strategy or tf.distribute.get_strategy()).scope():
            model = training_model(defence, images, schedule, seed=seed)
        callbacks = []
        if workdir.writes:
            callbacks = [Clock(folder / "seconds.json"), *defence.callbacks(test.images[:10], folder / "tensorboard")]
        if validation is not None:
            attack = validation_attack(defence, schedule)
            every, perturbed = schedule.validation_every, is_robust(defence)
            watch = Watch(validation, attack, every=every, seed=seed, perturbed=perturbed, path=best)
            callbacks.insert(0, watch)
            if watch.record is not None and watch.record.collapse is not None:
                watch.restore(model)  # killed between its end and its export
                return exported(model, schedule)
        fit(
            model,
            images,
            epochs=schedule.epochs,
            batch_size=schedule.batch_size,
            seed=seed,
            workdir=folder,
            callbacks=callbacks,
            verbose=verbose,
        )
        return exported(model, schedule)

    model = workdir.model(name, make)
    if not workdir.writes:
        return model, []
    seconds = Clock(workdir.path / "training" / name / "seconds.json").total

    def rows() -> list[dict[str, Any]]:
        classifier = Classifier.from_keras(model, schedule.bounds)
        predictions = classifier.predict(classifier.from_unit(test.images)).argmax(1)
        hits, n = int(np.sum(predictions == test.labels)), len(test)
        keys = {"kind": "training", "experiment": label, "seed": seed, "epochs": schedule.epochs}
        accuracy = {"metric": "test_accuracy", "value": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}
        plan = Plan(model, images, schedule.epochs, schedule.batch_size, seed)
        metrics = defence.costs(plan)
        record = Record.read(best)
        if validation is not None and record is not None:
            metrics += epoch_rows(record, len(validation))
        return [keys | accuracy | {"seconds": round(seconds, 1)}, *[keys | row for row in metrics]]

    return model, workdir.json(f"training-{name}", rows)


def untrained_model(defence: Defence, train: Dataset, schedule: Schedule) -> keras.Model:
    """Returns the model of `train_defended` with initial weights, so that an error is raised before any training.

    Raises:
      UserError: the defence does not fit the architecture or the schedule.
    """
    return exported(training_model(defence, schedule.split(train)[0], schedule), schedule)


def divergence(workdir: Workdir, name: str, train: Callable[[], Any]) -> str | None:
    """Returns the error of a training that diverged, which is not repeated; None if it ended well.

    Args:
      workdir: keeps the answer.
      name: of the training.
      train: trains, or finds the model trained.
    """

    def outcome() -> dict[str, str | None]:
        try:
            train()
        except Diverged as error:
            return {"diverged": str(error)}
        return {"diverged": None}

    return workdir.json(f"ended-{name}", outcome)["diverged"]


def check_member(defence: Defence, schedule: Schedule) -> None:
    """Raises UserError unless the defence can be trained, and its best epoch be chosen, with this schedule."""
    check_fit(defence, schedule)
    if schedule.validation:
        validation_attack(defence, schedule)


def validation_attack(defence: Defence, schedule: Schedule) -> attacks.Attack | None:
    """Returns the attack of the robust validation accuracy; None for accuracy alone.

    Args:
      defence: gives eps and norm; without them the schedule's attack needs an eps.
      schedule: its `validation_attack` comes first.

    Raises:
      UserError: an unknown attack, or one without eps for a defence without.
    """
    recipe = recipe_of(defence)
    budget: dict[str, Any] = {"eps": recipe.radius, "norm": recipe.norm} if isinstance(recipe, Robust) else {}
    if schedule.validation_attack is not None:
        arguments = specs.parse(schedule.validation_attack)[1]
        # The recipe's eps in another norm is another strength: every model would withstand it, or none.
        if "eps" not in arguments and (not budget or arguments.get("norm", budget["norm"]) != budget["norm"]):
            raise expected(
                "a validation attack with eps, for a training that has none" + (" in that norm" if budget else ""),
                repr(schedule.validation_attack),
                "Write it as pgd(eps=8/255), or change --validation_attack.",
            )
        return attacks.attack(schedule.validation_attack, **budget)
    return attacks.PGD(**budget, steps=10) if budget.get("eps") else None


def is_robust(defence: Defence) -> bool:
    """Whether a defence trains a network to withstand perturbations of some eps, by itself or combined with another."""
    return isinstance(recipe_of(defence), Robust)


def epoch_rows(record: Record, n: int) -> list[dict[str, Any]]:
    """Returns rows of the best epoch, counted from 1, and of the collapse that ended the training; n images each."""
    rows: list[dict[str, Any]] = []
    for name, epoch in (("best", record.best), ("collapse", record.collapse)):
        if epoch is None:
            continue
        rows.append({"metric": f"{name}_epoch", "value": epoch.number + 1})
        for measure, share in epoch.measured.items():
            hits = round(share * n)
            ci = list(rate_interval(hits, n))
            rows.append({"metric": f"{name}_epoch_{measure}", "value": share, "n": n, "ci95": ci})
    return rows
