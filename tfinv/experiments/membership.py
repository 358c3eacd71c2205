"""Membership leakage of robust and of private trainings (Song, Shokri and Mittal 2019, arXiv 1905.10291).

Their claim is that adversarial training makes a model give away more of who was in its training set. Here each training is made
on complementary random halves of one pool, the same halves for all, so each of its models is compared with a model trained as usual
on the same half. The question to a defence against inversion is the same, the other way round.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfinv import files
from tfinv.classifier import Classifier
from tfinv.comparison.defended import untrained_model
from tfinv.comparison.member import Member
from tfinv.comparison.membership import checking, drawing, scoring
from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.membership.targets import leave_one_out
from tfinv.comparison.protocol import SILENT, Execution
from tfinv.comparison.robustness import Robustness
from tfinv.comparison.shadow_models import Shadow, ShadowRecipe, fill
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.membership.differences import (
    adversarial_training_leaks_more,
    defence_leaks_less,
    differences,
)
from tfinv.evaluation.membership.measure import pool
from tfinv.evaluation.statistics.intervals import rate_interval
from tfinv.evaluation.training_checks import all_converged
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.membership.shadows import ShadowStore
from tfinv.runs.cluster import map_tasks
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import canonical, defence
from tfinv.training.fit import Diverged
from tfinv.training.schedule import Schedule

Row = dict[str, Any]

UNDEFENDED = "none"
# Those of Song et al., which need no shadow models, and the strongest that do.
ATTACKS = ("gap", "confidence", "modified_entropy", "lira", "rmia")
# Two pairs of complements: with fewer shadows none is left to compare a target with.
_FEWEST_SHADOWS = 4


@dataclasses.dataclass(frozen=True)
class _Training:
    """A training under attack: its recipe, and where its store of shadows lies."""

    member: Member
    recipe: ShadowRecipe
    workdir: Workdir

    @property
    def label(self) -> str:
        return self.member.label

    @property
    def folder(self):
        return self.workdir.path / "shadows" / files.slug(self.label)

    def robustness_stage(self, number: int) -> str:
        return files.slug(f"robustness-{self.label}-{Shadow(number).label}")


def membership(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    defences: Sequence[str],
    schedule: Schedule,
    shadows: int = 16,
    robustness: Robustness | None = None,
    attack_targets: int = 1,
    attacks: Sequence[str] = ATTACKS,
    seed: int = 0,
    execution: Execution = SILENT,
) -> Report:
    """Trains shadows with each defence, takes each as the target once, and compares the defences target by target.

    Args:
      train: the pool, on halves of which the shadows are trained, and after it the schedule's validation images.
      test: images that are in no training set, for robust accuracy.
      workdir: keeps a store of shadows for each defence, in shadows/, and every stage.
      defences: text forms, as `tfinv train --defense` takes them; "none" is the one that the others are compared with.
      schedule: architecture and optimisation of all models.
      shadows: of each defence.
      robustness: adversarial attacks on the first shadows of each defence; None for none.
      attack_targets: so many shadows of each defence are attacked adversarially.
      attacks: text forms of the membership attacks; the figures are of the last.
      seed: of halves, trainings and attacks, the same for all defences.
      execution: processes that share the trainings and adversarial attacks, and progress.

    Raises:
      UserError: what can't be trained or compared, before anything is trained.
    """
    trainings = _trainings(train, workdir, defences, schedule, seed)
    if shadows < _FEWEST_SHADOWS or not 0 < attack_targets <= shadows:
        received = f"{shadows} shadows, {attack_targets} of them attacked"
        raise expected(f"at least {_FEWEST_SHADOWS} shadows", received, "Change --shadows or --attack_targets.")
    diverged: dict[str, str] = {}
    if robustness is not None:
        _attack(trainings, robustness, test, attack_targets, diverged, execution)
    rows: list[Row] = []
    checks: list[tuple[str, Check]] = []
    results: dict[str, list[AttackScores]] = {}
    for training in trainings:
        filled = _fill(training, shadows, diverged, execution)
        if filled is None:
            continue
        rows += [row | {"experiment": training.label} for row in filled[1]]
        if robustness is not None:
            for number in range(attack_targets):
                stage = _measure_robustness(training, number, robustness, test)
                rows += stage["rows"]
                checks += [(f"{training.label}, shadow {number}", Check(**check)) for check in stage["checks"]]
        execution.progress(
            f"{training.label}: membership of {len(training.recipe.examples)} examples, {shadows} targets"
        )
        scores, train_rows, target_checks = _score(training, filled[0], attacks, shadows)
        results[training.label] = scores
        rows += train_rows + [row for result in scores for row in result.rows(training.label, seed)]
        checks += target_checks
    if UNDEFENDED not in results:
        raise expected("a training as usual that does not diverge", diverged.get(UNDEFENDED), "Change the training.")
    rows += pool(row for row in rows if row["kind"] == "membership")
    claims, difference_rows = _compare(trainings, rows)
    first, examples = results[UNDEFENDED][0], trainings[0].recipe.examples
    data_checks = checking.data_and_size_checks(first.members, examples, seed)
    converged = all_converged([f"{name}: {error}" for name, error in diverged.items()], len(trainings))
    figures = drawing.draw(results, rows, examples, workdir.path, robustness, attack=attacks[-1])
    return rows + difference_rows, [*claims, converged, *data_checks, *merge(checks)], figures


def _trainings(train, workdir, defences, schedule, seed) -> list[_Training]:
    """The trainings, of which each is one that can be made."""
    labels = [canonical(spec) for spec in defences]
    if UNDEFENDED not in labels or len(set(labels)) < max(2, len(labels)):
        expectation = f"{UNDEFENDED} and other defenses, each once"
        raise expected(expectation, ", ".join(labels), "Change --defenses.")
    trainings = []
    for label in labels:
        member = Member(label, defence(label), schedule)
        part = f"train[0:{len(train) - schedule.validation}]"
        recipe = ShadowRecipe(member.defence, member.schedule, train, (part,), seed=seed)
        untrained_model(member.defence, train, member.schedule)
        trainings.append(_Training(member, recipe, workdir))
    return trainings


def _fill(
    training: _Training, count: int, diverged: dict[str, str], execution: Execution, keep: bool = False
) -> tuple[ShadowStore, list[Row]] | None:
    """Trains shadows; None where one diverges, since the other defences are worth having."""
    if training.label in diverged:
        return None

    def progress(line: str) -> None:
        execution.progress(f"{training.label}: {line}")

    labelled = dataclasses.replace(execution, progress=progress)
    try:
        return fill(training.recipe, count, training.folder, keep=keep, execution=labelled)
    except Diverged as error:
        diverged[training.label] = str(error)
        return None


def _attack(trainings, robustness, test, count, diverged, execution) -> None:
    """Attacks the first shadows of each training, whose models are needed only until then."""
    tasks = []
    for training in trainings:
        missing = [number for number in range(count) if not _has_stage(training, number)]
        if missing and _fill(training, count, diverged, execution, keep=True) is not None:
            tasks += [(training.label, number) for number in missing]

    def done(task: tuple[Any, ...]) -> None:
        execution.progress(f"{task[0]}, shadow {task[1]}: attacked")

    arguments = (trainings, robustness, test)
    if execution.cluster.shares and len(tasks) > 1:
        folder = trainings[0].workdir.path
        map_tasks(
            execution.cluster, _attack_worker, arguments, tasks, folder=folder, progress=execution.progress, done=done
        )
        return
    attack = _attack_worker(*arguments)
    for task in tasks:
        attack(*task)
        done(task)


def _attack_worker(trainings: Sequence[_Training], robustness: Robustness, test: Dataset) -> Callable[[str, int], None]:
    """Returns a process's function that attacks a shadow, and leaves its rows and checks in the workdir."""
    by_label = {training.label: training for training in trainings}

    def attack(label: str, number: int) -> None:
        _measure_robustness(by_label[label], number, robustness, test)

    return attack


def _has_stage(training: _Training, number: int) -> bool:
    return (training.workdir.path / "stages" / f"{training.robustness_stage(number)}.json").exists()


def _measure_robustness(training: _Training, number: int, robustness: Robustness, test: Dataset) -> dict[str, Any]:
    """Rows and checks of a shadow under the adversarial attacks, once; the test images are in no training set."""

    def make() -> dict[str, Any]:
        shadow = Shadow(number)
        path = shadow.model_path(training.recipe, training.folder)
        classifier = Classifier.from_keras(keras.models.load_model(path, compile=False))
        if not classifier.differentiable:  # such as one that rounds its confidences
            return {"rows": [], "checks": []}
        seed = shadow.seed(training.recipe.seed)
        rows, checks = robustness.evaluate(classifier, test, training.workdir, label=training.label, seed=seed)
        return {"rows": rows, "checks": [dataclasses.asdict(check) for check in checks]}

    return training.workdir.json(training.robustness_stage(number), make)


def _score(
    training: _Training, store: ShadowStore, attacks: Sequence[str], count: int
) -> tuple[list[AttackScores], list[Row], list[tuple[str, Check]]]:
    """Scores of each target by each attack, rows of what it knows of its training half, and its checks."""
    examples, seed = training.recipe.examples, training.recipe.seed
    results, rows, checks = list[AttackScores](), list[Row](), list[tuple[str, Check]]()

    def keep(name: str, make: Callable[[], scoring.Arrays]) -> scoring.Arrays:
        return training.workdir.arrays(f"{files.slug(training.label)}-{name}", make)

    for number, target in enumerate(leave_one_out(store, examples, seed=seed)):
        if number == count:
            break
        results += [scoring.score(spec, target, keep) for spec in attacks]
        checks += [(f"{training.label}, {target.name}", check) for check in checking.model_checks(target)]
        assert target.evidence.predictions is not None
        right = target.evidence.predictions == examples.labels
        inside, outside = right[target.members], right[~target.members]
        hits, n = int(inside.sum()), len(inside)
        keys = {"kind": "training", "experiment": training.label, "seed": Shadow(number).seed(seed)}
        gap = {"metric": "generalisation_gap", "value": float(np.mean(inside) - np.mean(outside))}
        accuracy = {"metric": "train_accuracy", "value": hits / n, "n": n, "ci95": list(rate_interval(hits, n))}
        rows += [keys | accuracy, keys | gap]
    return results, rows, checks + [(training.label, check) for check in checking.score_checks(results)]


def _compare(trainings: Sequence[_Training], rows: Sequence[Mapping[str, Any]]) -> tuple[list[Check], list[Row]]:
    """The claims about each training, and the rows of its differences from training as usual."""
    measured = {row["experiment"] for row in rows if row["kind"] == "membership"}
    runs = [row for row in rows if row["kind"] == "membership"]
    others = [training for training in trainings if training.label in measured - {UNDEFENDED}]
    robust = sum(training.member.robust for training in others)
    checks, difference_rows = [], []
    for training in others:
        compared = differences(runs, training.label, UNDEFENDED)
        difference_rows += [difference.row() for difference in compared]
        accuracies = _held_out_accuracy(rows, training.label), _held_out_accuracy(rows, UNDEFENDED)
        if training.member.robust:
            checks.append(adversarial_training_leaks_more(compared, accuracies, robust))
        else:
            checks.append(defence_leaks_less(compared, accuracies, len(others) - robust))
    return checks, difference_rows


def _held_out_accuracy(rows: Sequence[Mapping[str, Any]], label: str) -> float:
    """Mean over the targets of their accuracy on the other half of the pool."""
    own_rows = [row for row in rows if row["kind"] == "training" and row["experiment"] == label]
    return float(np.mean([row["value"] for row in own_rows if row["metric"] == "test_accuracy"]))


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce membership`."""
    return membership(
        run.train,
        run.test,
        run.workdir,
        defences=run.config["defenses"],
        schedule=run.schedule,
        robustness=run.robustness,
        seed=run.config["seed"],
        execution=run.execution,
        **run.select("shadows", "attack_targets"),
    )
