"""Table 1 of the poster, and the honest evaluation beside it."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

from tfinv.attacks import FGSM, PGD, Attack, Noise
from tfinv.classifier import Classifier
from tfinv.comparison.defended import divergence, untrained_model
from tfinv.comparison.protocol import SILENT, Execution
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.robustness.accuracy import accuracy_curve, clean_row
from tfinv.evaluation.robustness.checks import robustness_checks
from tfinv.evaluation.robustness.plan import check_budgets
from tfinv.evaluation.robustness.row_checks import accuracy_falls, perturbation_uses_budget
from tfinv.evaluation.training_checks import all_converged
from tfinv.experiments.artefact import GreyLevelFGSM
from tfinv.experiments.poster import EXPERIMENTS, PosterTraining, poster_training, train_experiment
from tfinv.experiments.reproduction import Report, Reproduction
from tfinv.experiments.settings.poster import EPS
from tfinv.runs.workdir import Workdir

ARTEFACT = "fgsm-artefact"

# The poster's accuracies at perturbation 0, 5, 10 and 25 %. "Our model" is the shuffled one; reversal is not in the table.
POSTER = {
    "baseline": {0.0: 0.968, 0.05: 0.956, 0.10: 0.956, 0.25: 0.956},
    "positive": {0.0: 0.963, 0.05: 0.950, 0.10: 0.950, 0.25: 0.950},
    "shuffled": {0.0: 0.952, 0.05: 0.949, 0.10: 0.949, 0.25: 0.949},
}


def attacks(pgd_steps: int = 20) -> list[tuple[str, Attack]]:
    """Makes the honest attacks of the table, and the artefact, by name; with the loss that docs/results/table1.md was made with."""
    return [
        ("fgsm", FGSM(loss="margin")),
        ("pgd", PGD(steps=pgd_steps, loss="margin")),
        ("noise", Noise(draws=3)),
        (ARTEFACT, GreyLevelFGSM(loss="margin")),
    ]


def table1(
    train: Dataset,
    test: Dataset,
    workdir: Workdir,
    *,
    training: PosterTraining | None = None,
    experiments: Sequence[str] = EXPERIMENTS,
    eps: Sequence[float] = EPS,
    seeds: Sequence[int] = (0,),
    pgd_steps: int = 20,
    attack_limit: int = 2000,
    execution: Execution = SILENT,
) -> tuple[list[dict[str, Any]], list[Check]]:
    """Trains the poster's models and attacks each.

    Args:
      train: training split.
      test: the images whose clean accuracy is reported.
      workdir: keeps models and finished rows.
      training: training of the models.
      experiments: which of `EXPERIMENTS`.
      eps: fractions of the bounds' width.
      seeds: a training and an evaluation each.
      pgd_steps: steps of PGD.
      attack_limit: attacks take the first so many images of `test`.
      execution: processes and progress.

    Returns:
      Rows of kinds "training" and "accuracy", and the checks: honest ones merged over experiments and seeds, and those of the
      artefact apart.
    """
    training = training or PosterTraining()
    check_budgets(attacks(pgd_steps), eps)
    for experiment in experiments:
        untrained_model(training.of(experiment), train, training.schedule)
    rows: list[dict[str, Any]] = []
    diverged: list[str] = []
    checks: list[tuple[str, Check]] = []
    for seed in seeds:
        for experiment in experiments:
            name = f"{experiment} (seed {seed})"
            execution.progress(f"{experiment}, seed {seed}: training")
            make = partial(
                train_experiment, experiment, train, test, training, workdir, seed=seed, verbose=execution.verbose
            )
            if reason := divergence(workdir, f"{experiment}-{seed}", make):
                diverged.append(f"{name}: {reason}")
                continue
            model, trained = make()
            execution.progress(f"{experiment}, seed {seed}: attacking")
            classifier = Classifier.from_keras(model)
            stage = workdir.json(
                f"table1-{experiment}-{seed}",
                partial(_evaluate, classifier, test, test.take(attack_limit), experiment, eps, seed, pgd_steps),
            )
            rows += trained + stage["rows"]
            checks += [(name, Check(**c)) for c in stage["checks"]]
    return rows, [*merge(checks), all_converged(diverged, len(seeds) * len(experiments))]


def _evaluate(classifier, test, attacked, experiment, eps, seed, pgd_steps):
    images = classifier.from_unit(attacked.images)
    rows = accuracy_curve(
        classifier, images, attacked.labels, attacks(pgd_steps), eps, experiment=experiment, seed=seed
    )
    # The rules compare a curve with the clean accuracy of the images it was drawn on.
    honest = [r for r in rows if r["attack"] != ARTEFACT]
    broken = [r for r in rows if r["attack"] in ("none", ARTEFACT)]
    low, high = classifier.bounds
    checks = robustness_checks(honest, classifier, images, attacked.labels, seed=seed)
    for check in (accuracy_falls(broken), perturbation_uses_budget(broken, high - low)):
        checks.append(dataclasses.replace(check, name=f"{check.name} ({ARTEFACT})"))
    rows[0] = clean_row(experiment, classifier, test, seed)
    for row in rows:
        row["poster"] = POSTER.get(experiment, {}).get(row["eps"]) if row["attack"] != "noise" else None
    return {"rows": rows, "checks": [dataclasses.asdict(c) for c in checks]}


def reproduce(run: Reproduction) -> Report:
    """`tfinv reproduce table1`."""
    rows, checks = table1(
        run.train,
        run.test,
        run.workdir,
        training=poster_training(run),
        seeds=run.seeds,
        execution=run.execution,
        **run.select("eps", "pgd_steps", "attack_limit"),
    )
    return rows, checks, []
