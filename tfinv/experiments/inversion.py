"""Comparison of defences against inversions: every defence, attacked with every kind of knowledge, on one data set."""

from collections.abc import Sequence

from tfinv.comparison.attackers import all_attackers, auxiliary_knowledge, select_attackers
from tfinv.comparison.comparison import compare
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.member import Member
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

UNDEFENDED = "none"


def inversion(
    train: Dataset,
    test: Dataset,
    auxiliary: Dataset,
    workdir: Workdir,
    *,
    defences: Sequence[str],
    schedule: Schedule,
    evaluators: Evaluators,
    same_classes: bool,
    steps: int = 200,
    most_steps: int = 500,
    samples: int = 2,
    methods: Sequence[str] | None = None,
    baselines: Sequence[str] = (UNDEFENDED,),
    labels: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    execution: Execution = SILENT,
) -> Report:
    """Compares defences; see `comparison.compare`.

    Args:
      train: the victims' training split.
      test: held-out images, for accuracies and references.
      auxiliary: the attacker's images; no image of it should be in `train`.
      workdir: keeps models, reconstructions and measurements.
      defences: text forms, as `tfinv train --defense` takes them; without "none" nothing is compared with no defence.
      schedule: architecture and optimisation of all models.
      evaluators: evaluators and fresh decoders.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      steps: of the equal budget.
      most_steps: of the budget until convergence, at most.
      samples: reconstructions a label, where the start is drawn.
      methods: names of the inversions, see `all_attackers`; None is all of them.
      baselines: those of the defences with which each of the others is compared.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      execution: processes and progress.

    Raises:
      UserError: an unknown defence or attack, or a comparison with a defence that is not among them.
    """
    attackers = all_attackers(steps, most_steps, samples, str(workdir.path / "models" / "attackers"))
    if absent := sorted(set(baselines) - set(defences) - {UNDEFENDED}):
        raise expected(
            f"comparisons with {', '.join(defences)}", ", ".join(absent), "Change --than, or add to --defenses."
        )
    return compare(
        Splits(train, test),
        workdir,
        members=[Member(spec, defence(spec), schedule) for spec in defences],
        protocol=Protocol(
            select_attackers(attackers, methods),
            auxiliary_knowledge(auxiliary, same_classes),
            evaluators,
            classes=labels,
            seeds=seeds,
        ),
        defended=[spec for spec in defences if spec not in baselines],
        undefended=baselines,
        execution=execution,
    ).report


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce inversion`: defences against attackers who have images."""
    assert run.auxiliary is not None
    return inversion(
        run.train,
        run.test,
        run.auxiliary,
        run.workdir,
        defences=run.config["defenses"],
        schedule=run.schedule,
        evaluators=run.evaluators,
        same_classes=run.same_classes,
        methods=run.config["methods"],
        baselines=run.config["than"] or (UNDEFENDED,),
        labels=run.config["labels"],
        seeds=run.seeds,
        execution=run.execution,
        **run.select("steps", "most_steps", "samples"),
    )
