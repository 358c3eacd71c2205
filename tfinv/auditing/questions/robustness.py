"""Robustness: accuracy under attack over eps, the smallest eps that fools each image, and whether the attacks can be believed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tfinv.auditing.budget import Budget
from tfinv.auditing.estimate import attack_forms
from tfinv.auditing.questions import fragile
from tfinv.auditing.questions.answer import Answer, Rows
from tfinv.auditing.subjects.subject import EXPERIMENT, Origin, Subject
from tfinv.evaluation.robustness.accuracy import plan_accuracies, standing
from tfinv.evaluation.robustness.checks import robustness_checks
from tfinv.evaluation.robustness.chunks import ChunkStore, Target, attack_chunk
from tfinv.evaluation.robustness.plan import AttackPlan, named_attacks
from tfinv.evaluation.robustness.stream import BoundedImages
from tfinv.runs.cluster import map_tasks
from tfinv.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """Attacks of an audit on the first images of its split.

    Attributes:
      target: the model and the images.
      plans: the attacks, those with the same eps together.
      store: of finished chunks.
    """

    target: Target
    plans: tuple[AttackPlan, ...]
    store: ChunkStore

    def plan_of(self, attack: str) -> AttackPlan:
        """Returns the plan that an attack is part of."""
        return next(plan for plan in self.plans if attack in dict(plan.attacks))

    def chunk(self, attack: str, rows: range) -> dict[str, np.ndarray]:
        """Attacks a chunk, or reads what another call left; see `attack_chunk`."""
        return attack_chunk(self.target, self.plan_of(attack), attack, rows, self.store)

    def withstood(self, row: dict[str, Any]) -> np.ndarray:
        """Returns the images that withstood the attack of a row, (n,) bool."""
        return standing(self.target, self.plan_of(row["attack"]), self.store)(row)


def attack_plans(subject: Subject, budget: Budget) -> tuple[AttackPlan, ...]:
    """Returns the attacks that suit what the model gives.

    Args:
      subject: the model.
      budget: of the audit.
    """
    classifier, plans = subject.classifier, []
    for forms, factors in attack_forms(budget, classifier.differentiable, classifier.scores):
        budgets = tuple(sorted({min(1.0, subject.eps * factor) for factor in factors}))
        attacks = tuple(named_attacks(forms))
        for _, attack in attacks:
            attack.check_needs(classifier)
        plans.append(AttackPlan(attacks, budgets, "independent", subject.seed, subject.batch_size))
    return tuple(plans)


def ask(subject: Subject, budget: Budget, workdir: Workdir) -> Answer:
    """Attacks the first images of the split.

    Args:
      subject: the model and its images.
      budget: says how many images, and which attacks.
      workdir: of the audit, where each chunk stays.
    """
    count, plans = min(budget.attacks.images, len(subject.data)), attack_plans(subject, budget)
    data = subject.data.take(count)
    target = Target(subject.attacked, BoundedImages(data, subject.attacked), data.labels)
    run = Run(target, plans, ChunkStore(workdir.arrays, workdir.path / "stages"))
    share = _share(subject, plans, workdir, count)
    rows: Rows = []
    for plan in plans:
        names = ", ".join(name for name, _ in plan.attacks)
        subject.progress(f"  {names} at eps {', '.join(f'{e:.3g}' for e in plan.budgets)}: {count} images")
        measured = plan_accuracies(target, plan, experiment=EXPERIMENT, store=run.store, share=share(plan))
        rows += measured if not rows else measured[1:]
    subject.progress("  checks of the attacks")
    checks = robustness_checks(
        rows,
        target.classifier,
        target.images,
        target.labels,
        seed=subject.seed,
        batch_size=subject.batch_size,
        effort=budget.attacks.effort,
        withstood=run.withstood,
    )
    smallest, fooled_by = smallest_eps(run, subject.predictions(count) == data.labels)
    figures = fragile.draw(subject, run, smallest, fooled_by, workdir.path)
    columns = {
        "split": np.full(count, data.split),
        "index": np.arange(count),
        "smallest_eps": smallest,
        "fooled_by": fooled_by,
    }
    # The clean accuracy is that of the question of accuracy, over more images.
    return Answer(rows[1:], checks, figures, columns)


def smallest_eps(run: Run, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns of each image the distance of the nearest adversarial image that any attack found, and the attack.

    Args:
      run: of the attacks.
      correct: (n,) bool, the images that the model has right.

    Returns:
      (n,) float64, as fractions of the range: 0 for images that are wrong by themselves, NaN for those that withstood all; and
      (n,) texts, which are empty for both.
    """
    low, high = run.target.classifier.bounds
    smallest, fooled_by = np.where(correct, np.nan, 0.0), np.full(len(correct), "", dtype="<U64")
    for plan in run.plans:
        for name, _ in plan.attacks:
            for rows in run.target.chunks(plan.batch_size):
                chunk, places = run.chunk(name, rows), np.array(rows)
                distances = np.where(chunk["success"], chunk["distances"] / (high - low), np.nan)
                nearest = np.fmin.reduce(distances, axis=0)
                better = correct[places] & ~(nearest >= smallest[places]) & np.isfinite(nearest)
                smallest[places[better]], fooled_by[places[better]] = nearest[better], name
    return smallest, fooled_by


def _share(
    subject: Subject, plans: tuple[AttackPlan, ...], workdir: Workdir, count: int
) -> Callable[[AttackPlan], Callable[[list[range]], None] | None]:
    """Returns of a plan the function that gives its chunks to other processes; None where there are none."""

    def of_plan(plan: AttackPlan) -> Callable[[list[range]], None] | None:
        if not subject.cluster.shares or subject.origin is None:
            return None

        def share(chunks: list[range]) -> None:
            tasks = [(name, rows) for name, _ in plan.attacks for rows in chunks]
            arguments = (subject.origin, count, plan, workdir)
            map_tasks(subject.cluster, attack_worker, arguments, tasks, folder=workdir.path, progress=subject.progress)

        return share

    return of_plan


def attack_worker(origin: Origin, count: int, plan: AttackPlan, workdir: Workdir) -> Callable[[str, range], None]:
    """Returns a process's function that attacks a chunk and leaves it in the workdir.

    Args:
      origin: the files behind the subject.
      count: number of images under attack.
      plan: the attacks.
      workdir: of the audit.
    """
    classifier, data = origin.load(count)
    classifier = classifier.with_gradients("folded") if classifier.differentiable else classifier
    target = Target(classifier, BoundedImages(data, classifier), data.labels)
    store = ChunkStore(workdir.arrays, workdir.path / "stages")

    def attack(name: str, rows: range) -> None:
        attack_chunk(target, plan, name, rows, store)

    return attack
