"""The whole road on the embedded digits: the poster's models trained, attacked and inverted in a few minutes on two cores."""

from collections.abc import Callable
from typing import Any

from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.recipes.faces import faces
from tfinv.recipes.poster import EXPERIMENTS, PosterTraining
from tfinv.recipes.table1 import table1
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure


def demo(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    training: PosterTraining,
    attacked: dict[str, Any],
    inverted: dict[str, Any],
    seed: int = 0,
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Table 1 and the inversion experiment on the same models, with fewer steps than the full reproductions.

    Args:
      train: training split.
      test: the images under attack.
      workdir: keeps every finished stage.
      training: how the models are trained.
      attacked: further arguments of `table1`.
      inverted: further arguments of `faces`.
      seed: of everything.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Returns:
      Rows, checks and figures.
    """
    rows, checks = table1(
        train, test, workdir, training=training, seeds=(seed,), verbose=verbose, progress=progress, **attacked
    )
    more, more_checks, figures = faces(
        train,
        test,
        workdir,
        members=[(e, training.schedule.architecture, e) for e in EXPERIMENTS],
        evaluators=("convnet(filters=(16,32),units=64)", "cnn(filters=(16,))", "cnn+adversarial"),
        training=training,
        seeds=(seed,),
        progress=progress,
        **inverted,
    )
    # Both recipes report the trainings.
    return rows + [r for r in more if r["kind"] != "training"], checks + more_checks, figures
