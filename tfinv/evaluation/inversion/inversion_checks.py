"""Rules of a sound comparison of inversions, held against the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.evaluation.check import Check
from tfinv.evaluation.measurement import BETTER, CONVERGENCE, EQUAL, Measurement
from tfinv.evaluation.pooling import differences

Row = dict[str, Any]

# Of the comparisons that are called beyond chance, at most this share may be chance (Benjamini and Hochberg 1995).
_FALSE_DISCOVERIES = 0.05
# The measures that decide whether one model gives away less, chosen beforehand: what others recognise, how near to the training
# images in features, and how well a decoder does. Pixels and SSIM reward blur; the others vary on these.
_DECISIVE = ("acc@1", "feature_distance", "identification_rank", "relative_error")
# Accuracies no further apart are called equal.
SAME_ACCURACY = 0.02
# Mean confidence of the attacked model in its reconstructions from which an inversion counts as one that succeeded.
CONVINCED = 0.5


def equal_accuracy(accuracies: Mapping[str, float], most: float = SAME_ACCURACY) -> Check:
    """Models whose reconstructions are compared must classify equally well."""
    if len(accuracies) < 2:
        return Check("equal-test-accuracy", None, "nothing to compare", "")
    spread = max(accuracies.values()) - min(accuracies.values())
    shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in accuracies.items())
    return Check(
        "equal-test-accuracy",
        spread <= most,
        f"{shown}: {100 * spread:.1f} points apart (at most {100 * most:g})",
        "A model that classifies worse also knows less to reconstruct, so its privacy may be nothing but lost accuracy. "
        "Weaken the defence, or train longer.",
    )


def evaluators_are_accurate(accuracies: Mapping[str, float], least: float = 0.9) -> Check:
    """An evaluator that errs on real images says nothing about reconstructions."""
    shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in accuracies.items())
    return Check(
        "evaluators-are-accurate",
        min(accuracies.values()) >= least,
        f"accuracy on real test images: {shown} (at least {100 * least:g} %)",
        "Train the evaluators longer, or leave out the poor ones: their Acc@1 says as much of them as of the reconstructions.",
    )


def attack_converged(rows: Sequence[Row], least: float = CONVINCED) -> Check:
    """At an attack's last budget, mostly convergence, the attacked model itself must mostly believe the reconstructions."""
    known = [r for r in _single(rows) if r["measure"] == "confidence"]
    settled = {r["method"] for r in known if r["budget"] != EQUAL}
    found: dict[tuple[str, str], list[float]] = {}
    for row in known:
        if row["budget"] != EQUAL or row["method"] not in settled:
            found.setdefault((row["experiment"], row["method"]), []).append(row["value"])
    means = {key: float(np.mean(values)) for key, values in found.items()}
    weak = {key: value for key, value in means.items() if value < least}
    shown = "; ".join(f"{e}, {m}: {100 * value:.0f} %" for (e, m), value in (weak or means).items())
    return Check(
        "inversion-reaches-its-class",
        None if not found else not weak,
        f"mean confidence of the attacked model in its reconstructions, over the seeds: {shown}",
        "The inversion did not even convince the model it was made from, so a poor reconstruction shows a failed attack and not "
        "a private model: its gradients may be masked. Try another start, loss or step size before you call it a defence.",
    )


def gives_away_less(
    rows: Sequence[Row],
    defended: str,
    others: Sequence[str],
    least: int = 2,
    measured: Sequence[Measurement] = (),
) -> Check:
    """The defended model's reconstructions must be worse than each other model's by several measures, and better by none.

    The measures are Acc@1, feature distance, the identification's rank and the fresh decoder's error. Better by one of them under
    one attack is enough to fail, for an attacker chooses the attack.

    Where the values of each reconstruction are at hand, two models are compared pair by pair: same method, budget, seed, class and
    place in the class (see `pooling.differences`). Otherwise rows of one measure are averaged over seeds, and the standard error
    of their difference is read off the rows' intervals. All comparisons of two models at one budget are judged together, at a
    nominal rate of false discoveries of 5 % (Benjamini and Hochberg 1995).

    Args:
      rows: of kind "inversion", of one seed or several.
      defended: experiment.
      others: experiments it is compared with.
      least: in how many measures, at each budget.
      measured: the values of the rows, for paired comparisons; what it lacks is compared by the rows.
    """
    verdicts, passed = [], True
    available = {r["experiment"] for r in rows} | {m.keys["experiment"] for m in measured}
    for other in others:
        if other not in available or defended not in available:
            continue
        for budget in (EQUAL, CONVERGENCE):
            less, more, total = _compare(rows, measured, defended, other, budget)
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


def _compare(rows, measured, defended, other, budget):
    """(measure, method) pairs in which `defended` gives away less and more by some evaluator, and how many were compared."""
    compared: dict[tuple, tuple[float, float]] = {}
    ours, theirs = (_pooled(rows, experiment, budget) for experiment in (defended, other))
    for key in ours.keys() & theirs.keys():
        gap, error = ours[key][0] - theirs[key][0], float(np.hypot(ours[key][1], theirs[key][1]))
        compared[key] = gap, float(2 * stats.norm.sf(abs(gap) / error)) if error else float(gap == 0)
    for found in differences(measured, defended, other):
        if found.budget == budget and found.measure in _DECISIVE and found.estimate.error is not None:
            key = (found.method, found.measure, found.evaluator, BETTER[found.measure])
            compared[key] = found.estimate.value, found.estimate.p_value()
    less: set[tuple[str, str]] = set()
    more: set[tuple[str, str]] = set()
    if not compared:
        return less, more, 0
    adjusted = stats.false_discovery_control([p for _, p in compared.values()])
    for ((method, measure, _, better), (gap, _)), p in zip(compared.items(), adjusted, strict=True):
        if p <= _FALSE_DISCOVERIES:
            (less if (gap < 0) == (better == "higher") else more).add((measure, method))
    return less, more, len(compared)


def _listed(found):
    """Each measure with the attacks behind it."""
    by_measure: dict[str, list[str]] = {}
    for measure, method in sorted(found):
        by_measure.setdefault(measure, []).append(method)
    return ", ".join(f"{measure} ({', '.join(methods)})" for measure, methods in by_measure.items())


def _single(rows):
    """Those of inversions, without those that pool several seeds, which would count twice."""
    return [r for r in rows if r.get("kind", "inversion") == "inversion" and not isinstance(r.get("seed"), list)]


def _pooled(rows, experiment, budget):
    """Mean over seeds and its standard error, by what was measured how."""
    grouped: dict[tuple, list[Row]] = {}
    for row in _single(rows):
        if row["ci95"] and row["measure"] in _DECISIVE and row["experiment"] == experiment and row["budget"] == budget:
            key = (row["method"], row["measure"], row.get("evaluator"), row["better"])
            grouped.setdefault(key, []).append(row)
    pooled = {}
    for key, members in grouped.items():
        errors = [(r["ci95"][1] - r["ci95"][0]) / (2 * 1.96) for r in members]
        pooled[key] = (np.mean([r["value"] for r in members]), np.sqrt(np.sum(np.square(errors))) / len(members))
    return pooled
