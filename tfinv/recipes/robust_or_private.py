"""Models trained as usual and adversarially, attacked and inverted alike (Mejia et al. 2019, arXiv 1906.06449)."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.inversion import Projected
from tfinv.recipes.attackers import Attacker, all_attackers, chosen, known_of
from tfinv.recipes.comparison import compare
from tfinv.recipes.judging import Judging
from tfinv.recipes.meeting import Member
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure

# The seed's own inversion, and the other two of its paper: at several scales, and with a generator.
SEED_ATTACK = "projected"
ATTACKS = (SEED_ATTACK, "multiscale", "gmi")


def named(architecture: str, robust: bool) -> str:
    """The name of a model in rows and files."""
    return f"{architecture} ({'robust' if robust else 'usual'})"


def robust_or_private(
    train: Dataset,
    test: Dataset,
    auxiliary: Dataset,
    workdir: Workdir,
    *,
    members: Sequence[Member],
    robust: Sequence[str],
    judging: Judging,
    robustness: Robustness,
    same_classes: bool = True,
    attacks: Sequence[str] = ATTACKS,
    samples: int = 8,
    steps: int = 200,
    featured: int = 0,
    seeds: Sequence[int] = (0,),
    workers: int = 1,
    verbose: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
    """Trains, attacks, inverts and draws; see `comparison.compare`.

    The figures are the source's: reconstructions of all models side by side, different samples of one class, and the training
    images nearest to each reconstruction in the last convolutional map of the attacked model, of its own class among them.

    Args:
      train: the victims' training split.
      test: held-out images, for accuracies and references.
      auxiliary: what the attacker has, with labels; no image of it should be in `train`.
      workdir: keeps every stage.
      members: the models.
      robust: labels of those trained adversarially; the others should give away less than each of them, says the source.
      judging: evaluators and fresh decoders.
      robustness: the attacks that judge the models.
      same_classes: whether the auxiliary labels are those of `train`; the attacker doesn't have others.
      attacks: names of `all_attackers`.
      samples: reconstructions a class.
      steps: of the inversions that have no number of their own; see `all_attackers`.
      featured: the class of the figure of different samples; the source has birds.
      seeds: a training and an inversion each.
      workers: processes that share the trainings, and then the models after the first.
      verbose: Keras's, for the trainings.
      progress: is told what begins.
    """
    attackers = all_attackers(steps, steps, samples, str(workdir.path / "models" / "attackers"))
    return compare(
        train,
        test,
        workdir,
        members=members,
        attackers=[same_steps(a, same_classes) for a in chosen(attackers, attacks)],
        judging=judging,
        known=known_of(auxiliary, same_classes),
        defended=[m.label for m in members if m.label not in robust],
        undefended=robust,
        robustness=robustness,
        featured=featured,
        pictured=(SEED_ATTACK,),
        seeds=seeds,
        workers=workers,
        verbose=verbose,
        progress=progress,
    ).shown


def same_steps(attacker: Attacker, same_classes: bool) -> Attacker:
    """The budget of equal steps alone; projected gradient descent starts as published, from the Gaussian of each class."""
    if attacker.name == SEED_ATTACK and same_classes:
        return Attacker(SEED_ATTACK, Projected(), samples=attacker.samples)
    return dataclasses.replace(attacker, convergence=None)
