"""Models inverted by the same attackers and compared by the same measures: the core of the published experiments."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv import inversion
from tfinv.classifier import Classifier
from tfinv.comparison.defended import untrained_model
from tfinv.comparison.evaluators import Evaluator, Evaluators, evaluator_accuracies
from tfinv.comparison.gallery import Gallery
from tfinv.comparison.member import Member
from tfinv.comparison.membership.shadowless import Sides
from tfinv.comparison.protocol import SILENT, Execution, Protocol, Splits
from tfinv.comparison.trial import Trial, usable_attackers
from tfinv.errors import expected
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.inversion import inversion_checks
from tfinv.evaluation.inversion.leak_checks import leak_checks
from tfinv.evaluation.inversion.provenance import no_training_data_used
from tfinv.evaluation.inversion.reconstruction import check_classes
from tfinv.evaluation.inversion.references import measure_references, measure_start, with_scale
from tfinv.evaluation.membership import measure
from tfinv.evaluation.statistics.measurement import Measurement
from tfinv.evaluation.statistics.pooling import differences, pool
from tfinv.evaluation.training_checks import all_converged
from tfinv.reporting import Figure
from tfinv.runs.cluster import map_tasks
from tfinv.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Results of a comparison.

    Attributes:
      rows: of kinds "training", "accuracy", "membership", "inversion" and "inversion difference".
      checks: of the evaluations, the evaluators and the inversions.
      figures: in the workdir.
      measurements: every inversion and fresh decoder, value by value.
      references: of the method "reference": held-out images, class means, and the attacks' starts.
      failed_checks: names of the failed checks of robustness, by experiment and seed.
    """

    rows: list[dict[str, Any]]
    checks: list[Check]
    figures: list[Figure]
    measurements: list[Measurement]
    references: list[Measurement]
    failed_checks: dict[tuple[str, int], list[str]]

    @property
    def report(self) -> tuple[list[dict[str, Any]], list[Check], list[Figure]]:
        """Rows, checks and figures: the contents of a report."""
        return self.rows, self.checks, self.figures


def compare(
    splits: Splits,
    workdir: Workdir,
    *,
    members: Sequence[Member],
    protocol: Protocol,
    defended: Sequence[str] = (),
    undefended: Sequence[str] = (),
    execution: Execution = SILENT,
) -> Comparison:
    """Trains each model, inverts each with the same attackers, measures and draws.

    A model without gradients, such as one that rounds its confidences, is inverted only by the attackers that need none.

    Args:
      splits: the data set.
      workdir: keeps models, reconstructions and measurements.
      members: the models.
      protocol: the attacks and measures.
      defended: labels of the members that should give away less ...
      undefended: ... than these.
      execution: processes and progress.

    Returns:
      The results; figures are of the first seed.
    """
    train, test = splits.train, splits.test
    classes = protocol.target_classes(train.num_classes)
    _check(splits, members, protocol, classes)
    tasks = [(member, seed) for seed in protocol.seeds for member in members]
    if execution.cluster.shares:
        _train(splits, workdir, protocol.evaluators, tasks, execution)
    else:
        execution.progress("evaluators: training")
    training_set = protocol.evaluators.training_set(train, test, workdir)
    average, seed = _average(protocol), protocol.seeds[0]
    references = [
        *measure_references(classes, training_set, test, seed=seed),
        measure_start(average, classes, training_set, name="average image", seed=seed),
    ]
    gallery = Gallery(classes, train, test, training_set, protocol.featured)
    trial = Trial(splits, workdir, protocol, training_set, execution)
    _run(trial, tasks, gallery)
    findings = trial.findings
    references += findings.starts
    rows = [row for m in references for row in m.rows()] + findings.rows
    rows += [row for m in findings.measurements for row in m.rows()]
    inversion_rows = [row for row in rows if row["kind"] == "inversion"]
    checks = _checks(trial, inversion_rows, trainings=len(tasks))
    labels = [member.label for member in members]
    for name in defended:
        if name in labels:
            check = inversion_checks.gives_away_less(
                inversion_rows, name, undefended, measurements=findings.measurements
            )
            checks.append(dataclasses.replace(check, name=f"{check.name} ({name})"))
    pairs = [(a, b) for a in defended for b in undefended if a in labels and b in labels]
    rows += pool(findings.measurements)
    rows += measure.pool(row for row in findings.rows if row["kind"] == "membership")
    rows += [d.row() for a, b in pairs for d in differences(findings.measurements, a, b)]
    if protocol.members:
        checks += Sides.draw(members[0].schedule.split(train)[0], test, protocol.members).checks()
    figures = gallery.draw(workdir.path) + findings.figures
    checks = merge(findings.checks) + checks
    return Comparison(with_scale(rows), checks, figures, findings.measurements, references, findings.failed_checks)


def _check(splits: Splits, members: Sequence[Member], protocol: Protocol, classes: np.ndarray) -> None:
    """Raises at once the errors that a training or an inversion would raise after hours of others."""
    train = splits.train
    check_classes(classes, train.labels)
    evaluator_seeds = {evaluator.seed for evaluator in protocol.evaluators.members}
    if shared := sorted(evaluator_seeds.intersection(protocol.seeds)):
        listed = ", ".join(map(str, sorted(evaluator_seeds)))
        raise expected(f"seeds that are not the evaluators', {listed}", shared, "Change --seed.")
    labels = [member.label for member in members]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise expected("each model once", ", ".join(repeated), "Change --defenses, or --plain_architecture.")
    _average(protocol)
    for member in members:
        classifier = Classifier.from_keras(untrained_model(member.defence, train, member.schedule))
        for attacker in usable_attackers(protocol.attackers, classifier):
            for _, method in attacker.budgets:
                inversion.check(classifier, classes, method, samples=attacker.samples, knowledge=protocol.knowledge)
    protocol.evaluators.check(train, splits.test)


def _average(protocol: Protocol) -> np.ndarray:
    return protocol.knowledge.require("average", "inversions")


def _train(splits, workdir, evaluators, tasks, execution):
    """Trains all models and evaluators at once: not even the first model has to wait for its evaluators."""
    trainings = [*tasks, *((evaluator, evaluator.seed) for evaluator in evaluators.members)]
    # Robust trainings, of several passes a step, take longest: the last to start should not be one of them.
    trainings.sort(key=lambda task: not task[0].robust)

    execution.progress(f"trainings: {len(trainings)}")

    def done(task):
        execution.progress(f"{task[0].label}, seed {task[1]}: trained")

    map_tasks(
        execution.cluster,
        _training_worker,
        (splits, workdir, evaluators),
        trainings,
        folder=workdir.path,
        progress=execution.progress,
        done=done,
    )


def _run(trial: Trial, tasks: list[tuple[Member, int]], gallery: Gallery) -> None:
    """Runs the trial of each member and seed; several processes share those after the first."""
    execution, seeds = trial.execution, trial.protocol.seeds
    for i, (member, seed) in enumerate(tasks):
        if i == 1 and execution.cluster.shares:
            # The first trial has trained what the attacks share. Stages that other processes leave are read below, in silence.
            trial = dataclasses.replace(trial, execution=dataclasses.replace(execution, progress=SILENT.progress))
            map_tasks(
                execution.cluster,
                _trial_worker,
                (trial.splits, trial.workdir, trial.protocol),
                tasks[1:],
                folder=trial.workdir.path,
                progress=execution.progress,
                done=lambda task: execution.progress(f"{task[0].label}, seed {task[1]}: done"),
            )
        trial.run(member, seed, gallery if seed == seeds[0] else None)


def _checks(trial: Trial, inversion_rows: list[dict[str, Any]], trainings: int) -> list[Check]:
    """Checks of the trainings, the evaluators and the inversions.

    Raises:
      UserError: there is no inversion.
    """
    findings, protocol, train = trial.findings, trial.protocol, trial.splits.train
    if not findings.measurements:
        expectation = (
            "a model whose training does not diverge, and an inversion that it does not refuse for want of gradients"
        )
        received = "; ".join(findings.diverged) or "no inversion"
        raise expected(expectation, received, "Change the trainings or --methods.")
    accuracies = evaluator_accuracies(trial.training_set, trial.splits.test)
    means = {label: float(np.mean(values)) for label, values in findings.accuracies.items()}
    attacker_images = {"auxiliary images": protocol.knowledge.images, "the average image": _average(protocol)[None]}
    return [
        all_converged(findings.diverged, trainings),
        inversion_checks.evaluators_are_accurate(accuracies, _best_accuracy(findings.rows), len(trial.splits.test)),
        inversion_checks.equal_accuracy(means),
        inversion_checks.attack_converged(inversion_rows),
        *leak_checks(findings.measurements, train.num_classes),
        no_training_data_used(attacker_images, train),
    ]


def _best_accuracy(rows: list[dict[str, Any]]) -> float:
    """The highest test accuracy of any model, each over its seeds."""
    accuracies: dict[str, list[float]] = {}
    for row in rows:
        if row["kind"] == "training" and row["metric"] == "test_accuracy":
            accuracies.setdefault(row["experiment"], []).append(row["value"])
    return max(float(np.mean(values)) for values in accuracies.values())


def _training_worker(
    splits: Splits, workdir: Workdir, evaluators: Evaluators
) -> Callable[[Member | Evaluator, int], None]:
    """Returns a process's function that trains a member or an evaluator, and leaves the model in the workdir."""

    def train(model: Member | Evaluator, seed: int) -> None:
        if isinstance(model, Evaluator):
            evaluators.train(model, splits.train, splits.test, workdir)
        else:
            model.divergence(splits.train, splits.test, workdir, seed)

    return train


def _trial_worker(splits: Splits, workdir: Workdir, protocol: Protocol) -> Callable[[Member, int], None]:
    """Returns a process's function that runs the trial of a member and seed, and leaves its stages in the workdir."""
    training_set = protocol.evaluators.training_set(splits.train, splits.test, workdir)

    def run(member: Member, seed: int) -> None:
        Trial(splits, workdir, protocol, training_set).run(member, seed)

    return run
