"""Defences against inversions: every defence, attacked with every kind of knowledge, on one data set."""

from collections.abc import Callable, Sequence
from typing import Any

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.check import Check
from tfinv.recipes.attackers import all_attackers, chosen, known_of
from tfinv.recipes.comparison import compare
from tfinv.recipes.judging import Judging
from tfinv.recipes.meeting import Member
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure
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
    judging: Judging,
    same_classes: bool,
    steps: int = 200,
    most_steps: int = 500,
    samples: int = 2,
    attacks: Sequence[str] | None = None,
    than: Sequence[str] = (UNDEFENDED,),
    labels: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    workers: int = 1,
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Compares defences; see `comparison.compare`.

    Args:
      train: the victims' training split.
      test: held-out images, for accuracies and references.
      auxiliary: what the attacker has; no image of it should be in `train`.
      workdir: keeps models, reconstructions and measurements.
      defences: text forms, as `tfinv train --defense` takes them; without "none" nothing is compared with no defence.
      schedule: how all are trained.
      judging: evaluators and fresh decoders.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      steps: of the equal budget.
      most_steps: of the budget until convergence, at most.
      samples: reconstructions a label, where the start is drawn.
      attacks: names of `all_attackers`; None is all of them.
      than: of the defences those with which each of the others is compared.
      labels: classes to reconstruct; None is all.
      seeds: a training and an inversion each.
      workers: processes that share the trainings, and then the models after the first.
      verbose: Keras's, for the trainings.
      progress: is told what begins.

    Raises:
      UserError: an unknown defence or attack, or a comparison with a defence that is not among them.
    """
    attackers = all_attackers(steps, most_steps, samples, str(workdir.path / "models" / "attackers"))
    if absent := sorted(set(than) - set(defences) - {UNDEFENDED}):
        raise expected(
            f"comparisons with {', '.join(defences)}", ", ".join(absent), "Change --than, or add to --defenses."
        )
    return compare(
        train,
        test,
        workdir,
        members=[Member(spec, defence(spec), schedule) for spec in defences],
        attackers=chosen(attackers, attacks),
        judging=judging,
        known=known_of(auxiliary, same_classes),
        defended=[spec for spec in defences if spec not in than],
        undefended=than,
        labels=labels,
        seeds=seeds,
        workers=workers,
        verbose=verbose,
        progress=progress,
    ).shown
