"""One classifier trained with one defence: from architecture and data set to a plain Keras model and its figures."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv import attacks, models, specs
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.intervals import rate_interval
from tfinv.recipes.workdir import Workdir
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
      schedule: architecture and optimisation; the images that it holds out are not trained on.
      workdir: keeps the model, as models/ARCHITECTURE-LABEL-SEED.keras, its backups and its TensorBoard logs.
      label: the experiment's name in rows and files; None is the defence's text form.
      seed: of weights, order of examples and every draw of the defence.
      verbose: as Keras's.
      strategy: of `tfinv.training.distribution`; None is none. Its workers share the workdir, whose `writes` is for the chief.

    Returns:
      A plain Keras model from [0, 1] images to logits (to rounded confidences with `rounding`), and its rows of kind "training":
      the test accuracy, what the defence guarantees or cost, and with held-out images the epoch that was best on them, which is
      the one that is left. No rows where the workdir does not write.

    Raises:
      UserError: the defence does not fit the architecture, or the training broke down.
    """
    label = show(defence) if label is None else label
    name = f"{models.normal(schedule.architecture)}-{label}-{seed}"
    best = workdir.path / "training" / name / "best.npz"
    kept, held_out = schedule.split(train)

    def make(folder: pathlib.Path) -> keras.Model:
        keras.utils.set_random_seed(seed)
        with (strategy or tf.distribute.get_strategy()).scope():
            model = training_model(defence, kept, schedule, seed=seed)
        callbacks = []
        if workdir.writes:
            callbacks = [Clock(folder / "seconds.json"), *defence.callbacks(test.images[:10], folder / "tensorboard")]
        if held_out is not None:
            attack = validation_attack(defence, schedule)
            every, perturbed = schedule.validation_every, is_robust(defence)
            watch = Watch(held_out, attack, every=every, seed=seed, perturbed=perturbed, path=best)
            callbacks.insert(0, watch)
            if watch.record is not None and watch.record.collapse is not None:
                watch.restore(model)  # killed between its end and its export
                return exported(model, schedule)
        fit(
            model,
            kept,
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
        predicted = Classifier.from_keras(model).predict(test.images).argmax(1)
        hits, n = int(np.sum(predicted == test.labels)), len(test)
        keys = {"kind": "training", "experiment": label, "seed": seed, "epochs": schedule.epochs}
        found = {"metric": "test_accuracy", "value": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}
        plan = Plan(model, kept, schedule.epochs, schedule.batch_size, seed)
        more = [{"metric": metric, "value": value} for metric, value in defence.costs(plan).items()]
        record = Record.read(best)
        if held_out is not None and record is not None:
            more += watched(record, len(held_out))
        return [keys | found | {"seconds": round(seconds, 1)}, *[keys | row for row in more]]

    return model, workdir.json(f"training-{name}", rows)


def untrained(defence: Defence, train: Dataset, schedule: Schedule) -> keras.Model:
    """The model as `train_defended` would leave it but for its weights: what can't be trained is known before others are.

    Raises:
      UserError: the defence does not fit the architecture or the schedule.
    """
    return exported(training_model(defence, schedule.split(train)[0], schedule), schedule)


def divergence(workdir: Workdir, name: str, train: Callable[[], Any]) -> str | None:
    """How a training failed to converge; None if it came to its end. It is not tried again: others that go on are worth having.

    Args:
      workdir: keeps the answer.
      name: of the training.
      train: trains, or finds the model trained.
    """

    def end() -> dict[str, str | None]:
        try:
            train()
        except Diverged as error:
            return {"diverged": str(error)}
        return {"diverged": None}

    return workdir.json(f"ended-{name}", end)["diverged"]


def check_member(defence: Defence, schedule: Schedule) -> None:
    """Raises UserError unless a defence can be trained, and its epoch be chosen, in the way of a schedule."""
    check_fit(defence, schedule)
    if schedule.validation:
        validation_attack(defence, schedule)


def validation_attack(defence: Defence, schedule: Schedule) -> attacks.Attack | None:
    """What the robust accuracy on held-out images is measured with; None for accuracy alone.

    Args:
      defence: whose eps and norm it takes; without them it needs one in the schedule.
      schedule: whose `validation_attack` comes first.

    Raises:
      UserError: an unknown attack, or one without eps for a defence without.
    """
    recipe = recipe_of(defence)
    known: dict[str, Any] = {"eps": recipe.radius, "norm": recipe.norm} if isinstance(recipe, Robust) else {}
    if schedule.validation_attack is not None:
        given = specs.parse(schedule.validation_attack)[1]
        # The recipe's eps in another norm is another strength, against which anything withstands, or nothing.
        if "eps" not in given and (not known or given.get("norm", known["norm"]) != known["norm"]):
            raise expected(
                "a validation attack with eps, for a training that has none" + (" in that norm" if known else ""),
                repr(schedule.validation_attack),
                "Write it as pgd(eps=8/255), or change --validation_attack.",
            )
        return attacks.attack(schedule.validation_attack, **known)
    return attacks.PGD(**known, steps=10) if known.get("eps") else None


def is_robust(defence: Defence) -> bool:
    """Whether it trains a network to withstand perturbations of some eps, by itself or combined with another."""
    return isinstance(recipe_of(defence), Robust)


def watched(record: Record, n: int) -> list[dict[str, Any]]:
    """Rows of the best epoch, counted from 1, and of the one that ended the training by its collapse; n images each."""
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
