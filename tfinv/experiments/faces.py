"""The poster's inversion experiment: the same attackers against each of its models, on AT&T faces and on MNIST."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.inversion import Knowledge
from tfinv.recipes.attackers import poster_attackers
from tfinv.recipes.comparison import compare
from tfinv.recipes.judging import Judging, evaluators_schedule
from tfinv.recipes.meeting import Member
from tfinv.recipes.poster import EXPERIMENTS, PosterTraining
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure

# A label, the architecture and the experiment of each model.
Model = tuple[str, str, str]


def faces(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    members: Sequence[Model],
    evaluators: tuple[str, ...],
    identifiers: tuple[str, ...] = (),
    training: PosterTraining | None = None,
    evaluator_epochs: int = 10,
    steps: int = 300,
    most_steps: int = 2000,
    labels: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Compares the poster's models; see `comparison.compare`.

    Args:
      train: the victims' and evaluators' training split.
      test: held-out images: for test accuracies, for the fresh decoders, and what the attacker has, whose average it starts from.
      workdir: keeps models, reconstructions and measurements.
      members: the models; those that are named as their experiment are held to equal accuracy.
      evaluators: specs of the evaluators.
      identifiers: specs of evaluators trained on the held-out images alone, which tell people apart; none leaves it out.
      training: how the models are trained; its architecture is each member's own.
      evaluator_epochs: of each evaluator.
      steps: of the equal budget.
      most_steps: of the budget until convergence, at most.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      verbose: Keras's, for the trainings.
      progress: is told what begins.
    """
    training = training or PosterTraining()
    count = train.num_classes if labels is None else len(labels)
    return compare(
        train,
        test,
        workdir,
        members=[
            Member(
                label,
                training.of(experiment),
                dataclasses.replace(training.schedule, architecture=architecture),
                compared=label in EXPERIMENTS,
            )
            for label, architecture, experiment in members
        ],
        attackers=poster_attackers(steps, most_steps, count),
        judging=Judging(evaluators, evaluators_schedule(training.schedule, evaluator_epochs), identifiers=identifiers),
        known=Knowledge(images=test.images, source=f"held-out images of {test.name}"),
        defended=("reversal", "shuffled"),
        undefended=("baseline", "positive"),
        labels=labels,
        seeds=seeds,
        verbose=verbose,
        progress=progress,
    ).shown
