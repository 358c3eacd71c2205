"""The poster's inversion experiment: the same attackers against each of its models, on AT&T faces and on MNIST."""

import dataclasses
from collections.abc import Sequence

from tfinv.comparison.attackers import poster_attackers
from tfinv.comparison.comparison import compare
from tfinv.comparison.evaluators import Evaluators, evaluators_schedule
from tfinv.comparison.member import Member
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.datasets import Dataset
from tfinv.experiments.poster import EXPERIMENTS, PosterTraining, poster_training
from tfinv.experiments.reproduction import Report, Reproduction, other_architectures
from tfinv.inversion import Knowledge
from tfinv.runs.workdir import Workdir

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
    execution: Execution = SILENT,
) -> Report:
    """Compares the poster's models; see `comparison.compare`.

    Args:
      train: the victims' and evaluators' training split.
      test: held-out images: for test accuracies, for the fresh decoders, and the attacker's images, whose average it starts from.
      workdir: keeps models, reconstructions and measurements.
      members: the models; those that are named as their experiment are held to equal accuracy.
      evaluators: specs of the evaluators.
      identifiers: specs of evaluators trained on the held-out images alone, which tell people apart; none leaves it out.
      training: training of the models; its architecture is each member's own.
      evaluator_epochs: of each evaluator.
      steps: of the equal budget.
      most_steps: of the budget until convergence, at most.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      execution: processes and progress.
    """
    training = training or PosterTraining()
    count = train.num_classes if labels is None else len(labels)
    return compare(
        Splits(train, test),
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
        protocol=Protocol(
            poster_attackers(steps, most_steps, count),
            Knowledge(images=test.images, source=f"held-out images of {test.name}"),
            Evaluators(evaluators, evaluators_schedule(training.schedule, evaluator_epochs), identifiers=identifiers),
            classes=labels,
            seeds=seeds,
        ),
        defended=("reversal", "shuffled"),
        undefended=("baseline", "positive"),
        execution=execution,
    ).report


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce faces`."""
    architecture = run.config["architecture"]
    members: list[Model] = [(e, architecture, e) for e in EXPERIMENTS]
    if run.train.name == "att_faces":
        members = [("softmax", "softmax", "baseline"), ("mlp", "mlp", "baseline"), *members]
    return faces(
        run.train,
        run.test,
        run.workdir,
        members=members,
        evaluators=tuple(other_architectures(architecture)),
        identifiers=run.identifiers,
        training=poster_training(run),
        seeds=run.seeds,
        execution=run.execution,
        **run.select("evaluator_epochs", "steps", "most_steps", "labels"),
    )
