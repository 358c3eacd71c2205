"""Checks of a comparison of inversions: accuracies, convergence, and which model gives away less."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.evaluation.check import Check
from tfinv.evaluation.statistics.measurement import BETTER, CONVERGENCE, EQUAL, Measurement
from tfinv.evaluation.statistics.pooling import differences

Row = dict[str, Any]

# The false discovery rate: the share of comparisons called significant that may be chance (Benjamini and Hochberg 1995).
_FALSE_DISCOVERIES = 0.05
# The measures that decide whether one model gives away less, chosen beforehand: what evaluators recognise, how near the training
# images are in features, and how well a decoder does. Pixels and SSIM reward blur; the others are variants of these.
_DECISIVE = ("acc@1", "feature_distance", "identification_rank", "relative_error")
# Accuracies that differ by no more are called equal.
SAME_ACCURACY = 0.02
# Accuracy of an evaluator, as a share of the attacked model's.
_OF_ATTACKED = 0.95
# Mean confidence of the attacked model in its reconstructions from which on an inversion counts as successful.
CONVINCED = 0.5


def equal_accuracy(accuracies: Mapping[str, float], most: float = SAME_ACCURACY) -> Check:
    """Checks that the models whose reconstructions are compared classify equally well."""
    if len(accuracies) < 2:
        return Check("equal-test-accuracy", None, "nothing to compare", "")
    gap = max(accuracies.values()) - min(accuracies.values())
    shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in accuracies.items())
    return Check(
        "equal-test-accuracy",
        gap <= most,
        f"{shown}: {100 * gap:.1f} points apart (at most {100 * most:g})",
        "A model that classifies worse also knows less to reconstruct, so its privacy may be nothing but lost accuracy. "
        "Weaken the defence, or train longer.",
    )


def evaluators_are_accurate(accuracies: Mapping[str, float], attacked: float, n: int) -> Check:
    """Checks that the evaluators classify real images as well as the attacked model; else they say little of reconstructions.

    Args:
      accuracies: of the evaluators, by name.
      attacked: accuracy of the attacked model, of several the highest.
      n: number of test images.
    """
    least = _OF_ATTACKED * attacked
    poor = [
        name
        for name, accuracy in accuracies.items()
        if accuracy < least and stats.binomtest(round(accuracy * n), n, attacked, alternative="less").pvalue < 0.01
    ]
    shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in accuracies.items())
    return Check(
        "evaluators-are-accurate",
        not poor,
        f"accuracy on real test images: {shown}; of the attacked model {100 * attacked:.1f} %, of which evaluators need "
        f"{100 * _OF_ATTACKED:g} %, so {100 * least:.1f} %, or not significantly less than all (binomial test at 1 %, {n} images)"
        + (f". Below: {', '.join(poor)}" if poor else ""),
        "Train the evaluators longer, or leave out the poor ones: their Acc@1 says as much of them as of the reconstructions.",
    )


def attack_converged(rows: Sequence[Row], least: float = CONVINCED) -> Check:
    """Checks that the attacked model is confident in the reconstructions, at an attack's last budget (mostly convergence)."""
    confidence_rows = [r for r in _single_seed(rows) if r["measure"] == "confidence"]
    with_convergence = {r["method"] for r in confidence_rows if r["budget"] != EQUAL}
    confidences: dict[tuple[str, str], list[float]] = {}
    for row in confidence_rows:
        if row["budget"] != EQUAL or row["method"] not in with_convergence:
            confidences.setdefault((row["experiment"], row["method"]), []).append(row["value"])
    means = {key: float(np.mean(values)) for key, values in confidences.items()}
    weak = {key: value for key, value in means.items() if value < least}
    shown = "; ".join(f"{e}, {m}: {100 * value:.0f} %" for (e, m), value in (weak or means).items())
    return Check(
        "inversion-reaches-its-class",
        None if not confidences else not weak,
        f"mean confidence of the attacked model in its reconstructions, over the seeds: {shown}",
        "The inversion did not even convince the model it was made from, so a poor reconstruction shows a failed attack and not "
        "a private model: its gradients may be masked. Try another start, loss or step size before you call it a defence.",
    )


def gives_away_less(
    rows: Sequence[Row],
    defended: str,
    others: Sequence[str],
    least: int = 2,
    measurements: Sequence[Measurement] = (),
) -> Check:
    """Checks that the defended model's reconstructions are worse than each other model's by several measures, and better by none.

    The measures are Acc@1, feature distance, the identification's rank and the fresh decoder's error. Better by one of them under
    one attack is enough to fail, for an attacker chooses the attack.

    Where there are measurements, two models are compared pair by pair: same method, budget, seed, class and place in the class
    (see `pooling.differences`). Otherwise rows of one measure are averaged over seeds, and the standard error of their difference
    follows from the rows' intervals. All comparisons of two models at one budget are tested together, at a nominal false
    discovery rate of 5 % (Benjamini and Hochberg 1995).

    Args:
      rows: of kind "inversion", of one seed or several.
      defended: the experiment with the defence.
      others: experiments that it is compared with.
      least: number of measures that must show it, at each budget.
      measurements: the values of the rows, for paired comparisons; what is missing there is compared by the rows.
    """
    verdicts, passed = [], True
    available = {r["experiment"] for r in rows} | {m.keys["experiment"] for m in measurements}
    for other in others:
        if other not in available or defended not in available:
            continue
        for budget in (EQUAL, CONVERGENCE):
            less, more, total = _compare(rows, measurements, defended, other, budget)
            if not total:
                continue
            passed &= len({measure for measure, _ in less}) >= least and not more
            verdicts.append(
                f"against {other}, {budget}: less by {_listed(less) or 'no measure'}; "
                f"more by {_listed(more) or 'none'}; {total} comparisons"
            )
    return Check(
        "gives-away-less",
        passed if verdicts else None,
        " | ".join(verdicts) or "nothing to compare",
        f"The defence does not show by at least {least} measures at each budget, with none against it. Where it gives away more, "
        "the reconstructions of the defended model are the better ones: do not call it private.",
    )


def _compare(rows, measurements, defended, other, budget):
    """(measure, method) pairs in which `defended` gives away less, and more, by some evaluator; and the number of comparisons."""
    compared: dict[tuple, tuple[float, float]] = {}
    means, other_means = (_pooled(rows, experiment, budget) for experiment in (defended, other))
    for key in means.keys() & other_means.keys():
        (mean, error), (other_mean, other_error) = means[key], other_means[key]
        gap, error = mean - other_mean, float(np.hypot(error, other_error))
        compared[key] = gap, float(2 * stats.norm.sf(abs(gap) / error)) if error else float(gap == 0)
    for difference in differences(measurements, defended, other):
        estimate = difference.estimate
        if difference.budget == budget and difference.measure in _DECISIVE and estimate.error is not None:
            key = (difference.method, difference.measure, difference.evaluator, BETTER[difference.measure])
            compared[key] = estimate.value, estimate.p_value()
    less: set[tuple[str, str]] = set()
    more: set[tuple[str, str]] = set()
    if not compared:
        return less, more, 0
    adjusted = stats.false_discovery_control([p for _, p in compared.values()])
    for ((method, measure, _, better), (gap, _)), p in zip(compared.items(), adjusted, strict=True):
        if p <= _FALSE_DISCOVERIES:
            (less if (gap < 0) == (better == "higher") else more).add((measure, method))
    return less, more, len(compared)


def _listed(pairs):
    """Each measure of (measure, method) pairs with its methods, as text."""
    by_measure: dict[str, list[str]] = {}
    for measure, method in sorted(pairs):
        by_measure.setdefault(measure, []).append(method)
    return ", ".join(f"{measure} ({', '.join(methods)})" for measure, methods in by_measure.items())


def _single_seed(rows):
    """Rows of inversions, without pooled ones, whose seeds would count twice."""
    return [r for r in rows if r.get("kind", "inversion") == "inversion" and not isinstance(r.get("seed"), list)]


def _pooled(rows, experiment, budget):
    """Mean over seeds and its standard error, by method, measure, evaluator and direction."""
    grouped: dict[tuple, list[Row]] = {}
    for row in _single_seed(rows):
        if row["ci95"] and row["measure"] in _DECISIVE and row["experiment"] == experiment and row["budget"] == budget:
            key = (row["method"], row["measure"], row.get("evaluator"), row["better"])
            grouped.setdefault(key, []).append(row)
    pooled = {}
    for key, members in grouped.items():
        errors = [(r["ci95"][1] - r["ci95"][0]) / (2 * 1.96) for r in members]
        pooled[key] = (np.mean([r["value"] for r in members]), np.sqrt(np.sum(np.square(errors))) / len(members))
    return pooled
