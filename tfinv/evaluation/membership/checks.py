"""Checks of a membership evaluation that need scores, logits or counts only; `data_checks` has those that look at the images.

docs/reading-a-report.md has a heading for each.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special, stats

from tfinv.errors import expected
from tfinv.evaluation.check import Check, percent
from tfinv.evaluation.membership import roc
from tfinv.evaluation.membership.intervals import delong, fewest_nonmembers
from tfinv.evaluation.membership.measure import rate_name

Scores = tuple[np.ndarray, np.ndarray]

# Difference of two models' outputs, over their deviation, below which they are one model.
_SAME = 0.01
# Members that may share the score of the threshold.
_TIED = 0.01
# A shadow's accuracy over the target's.
_REACHED = 0.95
_LEVEL = 0.01
# AUC from which on no twin can show a stronger attack.
_PERFECT = 0.99


def enough_nonmembers(nonmembers: int, fpr: float) -> Check:
    """Checks that there are non-members enough for the TPR at an FPR to be bounded from below (`intervals.order_statistics`).

    Args:
      nonmembers: how many.
      fpr: of the measure.
    """
    fewest = fewest_nonmembers(fpr)
    check = Check(
        "enough-nonmembers",
        None if fewest is None else nonmembers >= fewest,
        f"{nonmembers:,} non-members"
        + (
            ", of whom none is above the threshold: no number of them says what the TPR at an FPR of 0 is"
            if fewest is None
            else f", {roc.false_positives(fpr, nonmembers):,} of whom may be above the threshold; needed are {fewest:,}"
        ),
        "A few non-members set the threshold, so the TPR is a matter of chance, and reads too high: of 50 it may be four times the "
        "true one. Pass more non-members, quote the TPR at a higher FPR, or the mean over many targets with its interval.",
    )
    return dataclasses.replace(check, name=f"{check.name} ({rate_name(fpr)})")


def scores_not_tied(members: np.ndarray, nonmembers: np.ndarray, fprs: Sequence[float] = roc.FPRS) -> Check:
    """Checks that hardly any member has the very score of a threshold: what is tied there counts as not recognised.

    Args:
      members: (m,) scores.
      nonmembers: (n,) scores.
      fprs: at which the TPR is measured.

    Raises:
      UserError: see `roc.check_scores`.
    """
    members, nonmembers = roc.check_scores(members, nonmembers)
    shares = {fpr: float(np.mean(members == roc.threshold_at(nonmembers, fpr))) for fpr in fprs}
    values, counts = np.unique(np.concatenate([members, nonmembers]), return_counts=True)
    tied = counts[counts > 1].sum() / counts.sum()
    return Check(
        "scores-not-tied",
        all(share <= _TIED for share in shares.values()),
        f"of the members {', '.join(f'{percent(s)} have the score of the threshold at {rate_name(f)}' for f, s in shares.items())} "
        f"(at most {percent(_TIED)}); {percent(float(tied))} of all scores are tied, {len(values):,} distinct",
        "Records with one score can't be told apart, so the TPR at a low FPR is that of another threshold, or 0. Usual causes: "
        "float32 probabilities, of which a good model's are exactly 1; rounded outputs; an attack that only says yes or no. Score "
        "the logits in float64, or read AUC and advantage.",
    )


def target_is_no_shadow(target: np.ndarray | None, shadows: Iterable[np.ndarray]) -> Check:
    """Checks that no shadow model is the target itself.

    Args:
      target: (n, K) logits or log-probabilities; None of a model that gives labels only.
      shadows: (n, K) of each shadow, on the same records.

    Raises:
      UserError: a shadow has another shape.
    """
    differences = [] if target is None else [_difference(target, shadow) for shadow in shadows]
    nearest = int(np.argmin(differences)) if differences else 0
    return Check(
        "target-is-no-shadow",
        differences[nearest] >= _SAME if differences else None,
        f"the nearest of {len(differences)} shadows, number {nearest}, differs from the target by "
        f"{percent(differences[nearest])} of the deviation of its outputs (at least {percent(_SAME)})"
        if differences
        else "no outputs to compare",
        "A shadow that is the target hands the attack its answer: with the target among 8 shadows a TPR of 5 to 22 % read 33 to 55 "
        "%. Leave it out, and its complement, too.",
    )


def shadows_reach_the_target(target: tuple[int, int], shadows: Sequence[tuple[int, int]]) -> Check:
    """Checks that no shadow model is less accurate than the target: 5 % of its accuracy, and beyond chance.

    Args:
      target: (number right, number of records) on records that it was not trained on.
      shadows: likewise of each shadow, on its own non-members.
    """
    accuracies = [right / n for right, n in shadows]
    accuracy = target[0] / target[1]
    # Fisher's exact test, one-sided, at 1 % for all shadows together.
    weak = [
        i
        for i, (right, n) in enumerate(shadows)
        if right / n < _REACHED * accuracy
        and stats.fisher_exact([[right, n - right], [target[0], target[1] - target[0]]], alternative="less").pvalue
        < _LEVEL / len(shadows)
    ]
    named = ", ".join(f"number {i} with {percent(accuracies[i])}" for i in weak[:3])
    rest = f" and {len(weak) - 3} others" if len(weak) > 3 else ""
    evidence = f"target {percent(accuracy)} of {target[1]:,} held-out records; shadows " + (
        f"{percent(min(accuracies))} to {percent(max(accuracies))}" if accuracies else "none"
    )
    return Check(
        "shadows-reach-the-target",
        not weak if shadows else None,
        evidence + (f"; below {percent(_REACHED)} of the target's: {named}{rest}" if weak else ""),
        "Shadows that learnt less than the target show how another model treats its members. Train them as the target was trained: "
        "architecture, epochs, augmentation, number of images.",
    )


def null_target_at_chance(targets: Sequence[Scores], fprs: Sequence[float] = (0.01, 0.001)) -> Check:
    """Checks that an attack finds nothing where there is nothing: its targets were trained on other data.

    Members and non-members are then exchangeable. The AUC is compared with .5 (Mann and Whitney), the number of members above the
    k + 1 highest non-members with the negative hypergeometric law; over three targets or more also the means, by Student's test.

    Args:
      targets: (members, nonmembers) scores of each null target; the members are those of the roles that the shadows were told.
      fprs: at which the TPR is compared with what guessing has by the step rule, (k + 1) / (n + 1).

    Raises:
      UserError: see `roc.check_scores`.
    """
    scores = [roc.check_scores(*target) for target in targets]
    areas = [roc.auc(*target) for target in scores]
    rates = {fpr: [roc.tpr_at_fpr(*target, fpr) for target in scores] for fpr in fprs}
    chances = {fpr: [(roc.false_positives(fpr, len(n)) + 1) / (len(n) + 1) for _, n in scores] for fpr in fprs}
    single = [_area_p_value(*target) for target in scores] + [_rate_p_value(*t, fpr) for t in scores for fpr in fprs]
    means = []
    if len(scores) > 2:
        means = [_mean_p_value(np.array(areas) - 0.5, "two-sided")]
        means += [_mean_p_value(np.array(rates[fpr]) - chances[fpr], "greater") for fpr in fprs]
    # Half of the level for each kind of test, shared among its tests.
    p_value = min((2 * len(tests) * min(tests) for tests in (single, means) if tests), default=1.0)
    shown = [f"AUC {np.mean(areas):.3f}"] if scores else []
    shown += [
        f"TPR at {rate_name(fpr)} {percent(float(np.mean(rates[fpr])))} where guessing has {percent(float(np.mean(chances[fpr])))}"
        for fpr in fprs
        if scores
    ]
    return Check(
        "null-target-at-chance",
        p_value >= _LEVEL if scores else None,
        f"{len(scores)} null targets: {', '.join(shown)}; p = {min(1.0, p_value):.2g}" if scores else "no null target",
        "The attack sees members in a model that was trained on none of these records, so its figures for the target are not of "
        "the target. Usual causes: references that include the target or its complement, a mean over all references where some "
        "were trained on the record and some not, and members and non-members that differ in themselves.",
    )


def overfitted_twin_is_worse(model: Scores, twin: Scores) -> Check:
    """Checks that the attack is stronger, by its AUC and at 5 %, on a twin of the model that was trained to overfit.

    Args:
      model: (members, nonmembers) scores of the attack on the model.
      twin: likewise on its twin.

    Raises:
      UserError: see `roc.check_scores`.
    """
    (area, variance), (twin_area, twin_variance) = (delong(*roc.check_scores(*scores)) for scores in (model, twin))
    error = float(np.sqrt(variance + twin_variance))
    gain = twin_area - area
    beyond_chance = gain > float(stats.norm.isf(0.05)) * error if error > 0 else gain > 0
    return Check(
        "overfitted-twin-is-worse",
        None if area > _PERFECT else bool(beyond_chance),
        f"AUC {area:.3f} on the model, {twin_area:.3f} on its overfitted twin (a difference of {gain:+.3f} +- {1.96 * error:.3f})"
        + ("; the attack already names nearly every member of the model" if area > _PERFECT else ""),
        "An attack that does not see overfitting would not see a leak either: a low figure for the model then says nothing. Use a "
        "stronger attack (lira, rmia), more shadows, or see whether the twin does overfit.",
    )


def _difference(target, shadow):
    """Root-mean-square difference of log-probabilities over the target's deviation: logits are known but for a constant a row."""
    target, shadow = np.asarray(target, np.float64), np.asarray(shadow, np.float64)
    if target.shape != shadow.shape or target.ndim != 2:
        raise expected(f"logits {target.shape} of each shadow", shadow.shape, "Score the same records with all models.")
    target, shadow = (special.log_softmax(x, axis=1) for x in (target, shadow))
    return float(np.sqrt(np.mean((target - shadow) ** 2)) / max(float(target.std()), 1e-12))


def _area_p_value(members, nonmembers):
    if np.ptp(np.concatenate([members, nonmembers])) == 0:
        return 1.0
    return float(stats.mannwhitneyu(members, nonmembers, method="asymptotic").pvalue)


def _rate_p_value(members, nonmembers, fpr):
    """Probability that as many members of an exchangeable sample are above the (k+1)-th highest non-member."""
    allowed = roc.false_positives(fpr, len(nonmembers))
    if allowed >= len(nonmembers):
        return 1.0
    hits = int(roc.above(members, roc.threshold_at(nonmembers, fpr)).sum())
    # So many are above it where at most k non-members are among the k + hits highest of all.
    return float(stats.hypergeom.cdf(allowed, len(members) + len(nonmembers), len(nonmembers), hits + allowed))


def _mean_p_value(values, alternative):
    if np.ptp(values) == 0:  # as of scores that are all tied; the tests of each target say the rest
        return 1.0
    return float(stats.ttest_1samp(values, 0.0, alternative=alternative).pvalue)
