"""Demonstration on the embedded digits: the poster's models trained, attacked and inverted in a few minutes on two cores."""

from typing import Any

from tfinv.comparison.protocol import SILENT, Execution
from tfinv.datasets import Dataset
from tfinv.experiments.faces import faces
from tfinv.experiments.poster import EXPERIMENTS, PosterTraining, poster_training
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.experiments.table1 import table1
from tfinv.runs.workdir import Workdir


def demo(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    training: PosterTraining,
    table1_arguments: dict[str, Any],
    faces_arguments: dict[str, Any],
    seed: int = 0,
    execution: Execution = SILENT,
) -> Report:
    """Runs Table 1 and the inversion experiment on the same models, with fewer steps than the full reproductions.

    Args:
      train: training split.
      test: the images under attack.
      workdir: keeps every finished stage.
      training: training of the models.
      table1_arguments: further arguments of `table1`.
      faces_arguments: further arguments of `faces`.
      seed: of everything.
      execution: processes and progress.

    Returns:
      Rows, checks and figures.
    """
    rows, checks = table1(
        train, test, workdir, training=training, seeds=(seed,), execution=execution, **table1_arguments
    )
    inversion_rows, inversion_checks, figures = faces(
        train,
        test,
        workdir,
        members=[(e, training.schedule.architecture, e) for e in EXPERIMENTS],
        evaluators=("convnet(filters=(16,32),units=64)", "cnn(filters=(16,))", "cnn+adversarial"),
        training=training,
        seeds=(seed,),
        execution=execution,
        **faces_arguments,
    )
    # Both experiments report the trainings.
    rows += [r for r in inversion_rows if r["kind"] != "training"]
    return rows, checks + inversion_checks, figures


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce demo`."""
    return demo(
        run.train,
        run.test,
        run.workdir,
        training=poster_training(run),
        table1_arguments=run.select("eps", "pgd_steps", "attack_limit"),
        faces_arguments=run.select("evaluator_epochs", "steps", "most_steps", "labels"),
        seed=run.config["seed"],
        execution=run.execution,
    )
