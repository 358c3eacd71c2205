"""Paired differences of two trainings in what membership attacks find, and the checks of claims about them.

Each training has a target on each half of one pool, so a target of one is compared with the target of the other on the same half.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.check import Check, percent
from tfinv.evaluation.statistics.estimation import Estimate, estimate_mean

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean paired difference of one measure of one attack between the targets of two trainings.

    Attributes:
      attack: its text form.
      measure: its name, such as "auc" or "tpr@1%".
      experiment: the training that is compared.
      baseline: the training that is subtracted.
      estimate: of the mean of experiment minus baseline, with the targets as its units.
    """

    attack: str
    measure: str
    experiment: str
    baseline: str
    estimate: Estimate

    def row(self) -> Row:
        """Makes a row of kind "membership difference"; its key `than` is the baseline."""
        interval = self.estimate.interval()
        return {
            "kind": "membership difference",
            "experiment": self.experiment,
            "than": self.baseline,
            "attack": self.attack,
            "measure": self.measure,
            "value": self.estimate.value,
            "ci95": None if interval is None else list(interval),
            "targets": self.estimate.n,
        }


def differences(rows: Sequence[Mapping[str, Any]], experiment: str, baseline: str) -> list[Difference]:
    """Compares two trainings, target by target.

    What a half of the pool does to a measure cancels in each pair. The interval is of other trainings on this pool, and not of
    other images.

    Args:
      rows: of `measure.measure`, of both trainings and any others; those of classes, and at thresholds of shadows, are left out.
      experiment: name of one.
      baseline: name of the other, which is subtracted.

    Returns:
      One for each attack and each of AUC, advantage and TPR at an FPR that both have of a common target.
    """
    values: dict[tuple[str, str], dict[str, dict[tuple[Any, Any], float]]] = {}
    for row in rows:
        name = row["measure"]
        is_run = row.get("target") is not None and row.get("group") is None
        if not is_run or row.get("threshold") == "shadows" or name.partition("@")[0] not in ("auc", "advantage", "tpr"):
            continue
        runs = values.setdefault((row["attack"], name), {}).setdefault(row["experiment"], {})
        runs[row["target"], row["seed"]] = row["value"]
    results = []
    for (attack, name), runs_of in values.items():
        minuends, subtrahends = runs_of.get(experiment, {}), runs_of.get(baseline, {})
        pairs = [value - subtrahends[run] for run, value in minuends.items() if run in subtrahends]
        if pairs:
            mean = estimate_mean([(np.array(pairs), np.arange(len(pairs)))])
            results.append(Difference(attack, name, experiment, baseline, mean))
    return results


def adversarial_training_leaks_more(
    compared: Sequence[Difference], accuracies: tuple[float, float], comparisons: int = 1
) -> Check:
    """Checks the claim of Song, Shokri and Mittal (2019): membership is told more surely after adversarial training.

    Args:
      compared: of one adversarial training against training as usual; the AUCs are looked at.
      accuracies: of both on held-out images, for the evidence.
      comparisons: number of trainings of which the claim is tested at once.

    Returns:
      The check "adversarial-training-leaks-more (TRAINING)". It passes where an attack finds more and none finds less, fails where
      an attack finds less and none finds more, and is not judged where neither is shown, or both are.
    """
    advice = (
        "The opposite of the claim is shown: these attacks find fewer members after this adversarial training. Say so of this eps, "
        "network and number of images, and look whether it has learnt less."
    )
    return _claim("adversarial-training-leaks-more", "more", compared, accuracies, comparisons, advice)


def defence_leaks_less(compared: Sequence[Difference], accuracies: tuple[float, float], comparisons: int = 1) -> Check:
    """Checks whether a defence hides members: whether attacks find fewer than after training as usual.

    Args:
      compared: of one defence against training as usual; the AUCs are looked at.
      accuracies: of both on held-out images, for the evidence: a defence may hide members by learning less.
      comparisons: number of defences of which it is asked at once.

    Returns:
      The check "defence-leaks-less (TRAINING)". It passes where an attack finds less and none finds more, fails where an attack
      finds more and none finds less, and is not judged where neither is shown, or both are.
    """
    advice = "These attacks find more members after this defence than without: in this sense it is no defence."
    return _claim("defence-leaks-less", "less", compared, accuracies, comparisons, advice)


def _claim(name, claimed, compared, accuracies, comparisons, advice):
    """A check of the direction of the AUC's differences, at 95 % for all attacks and trainings together (Bonferroni)."""
    areas = [d for d in compared if d.measure == "auc"]
    level = 1 - 0.05 / max(1, len(areas) * comparisons)
    parts, directions = [], set()
    for difference in areas:
        # Targets that all differ by the same say nothing of how others would.
        interval = difference.estimate.interval(level) if difference.estimate.error else None
        low, high = interval or (-np.inf, np.inf)
        directions |= {"more"} if low > 0 else {"less"} if high < 0 else set()
        shown = f" [{low:+.3f}, {high:+.3f}]" if interval else ""
        parts.append(f"{difference.attack} {difference.estimate.value:+.3f}{shown}")
    outcome = {
        frozenset(): f"not shown: no attack finds {claimed}, beyond chance",
        frozenset({"more"}): "more members found",
        frozenset({"less"}): "fewer members found",
        frozenset({"more", "less"}): "not shown: one attack finds more, another less",
    }[frozenset(directions)]
    evidence = outcome + "".join(f"; AUC less that of {d.baseline}: " for d in areas[:1]) + ", ".join(parts)
    if areas:
        evidence += f" ({areas[0].estimate.n} targets; intervals of 95 % for all {len(areas) * comparisons} together)"
    evidence += f"; held-out accuracy {percent(accuracies[0])} against {percent(accuracies[1])}"
    subject = f" ({areas[0].experiment})" if areas else ""
    check = Check(name, directions == {claimed} if len(directions) == 1 else None, evidence, advice)
    return dataclasses.replace(check, name=f"{check.name}{subject}")
