"""Lower bound on the epsilon of differential privacy, from the rates of an attack at one threshold.

Under (epsilon, delta) every threshold has TPR <= e^epsilon FPR + delta and TNR <= e^epsilon FNR + delta (Kairouz, Oh and Viswanath
2015), so a TPR that is certainly high beside an FPR that is certainly low excludes every smaller epsilon (Jagielski, Ullman and
Oprea 2020; Nasr et al. 2021). "Certainly" is Clopper and Pearson's bound of each, at half of the error.

**What the bound takes for granted**: that the scores are independent, one of each run of the training. The records of a single
model are not: there it is an indication. `one_run` audits a single training without that assumption.
"""

import dataclasses
import math

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.membership.intervals import rate_bounds
from tfinv.evaluation.membership.roc import check_scores

_LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class EpsilonBound:
    """Lower bound on epsilon.

    Attributes:
      epsilon: at least this, at the level; 0 if nothing is shown.
      delta: that it is stated for.
      level: probability that the bound holds.
      threshold: scores of at least this are called members.
      tpr: lower bound of the TPR there.
      fpr: upper bound of the FPR there.
      members: how many scores the rates are of, after those that chose the threshold.
      nonmembers: likewise.
    """

    epsilon: float
    delta: float
    level: float
    threshold: float
    tpr: float
    fpr: float
    members: int
    nonmembers: int


def epsilon_of_rates(tpr: float, fpr: float, delta: float = 0.0) -> float:
    """Smallest epsilon, at least 0, that allows a threshold of these rates; infinity if none does."""
    return float(_epsilons(np.float64(tpr), np.float64(fpr), delta))


def epsilon_of_counts(
    true_positives: int,
    members: int,
    false_positives: int,
    nonmembers: int,
    *,
    delta: float = 0.0,
    level: float = _LEVEL,
) -> float:
    """Lower bound on epsilon from the counts at a threshold that was set before they were made.

    Args:
      true_positives: members that the attack calls so.
      members: all of them.
      false_positives: non-members that the attack calls members.
      nonmembers: all of them.
      delta: in [0, 1).
      level: probability that the bound holds.

    Raises:
      UserError: counts, delta or level are out of range.
    """
    check_level(delta, level)
    if not (0 <= true_positives <= members and 0 <= false_positives <= nonmembers and min(members, nonmembers) > 0):
        raise expected(
            "counts of at most their total, which is positive",
            f"{true_positives} of {members}, {false_positives} of {nonmembers}",
            "Change the counts.",
        )
    tpr, fpr = _bounds(np.array([true_positives]), np.array([false_positives]), members, nonmembers, level)
    return float(_epsilons(tpr, fpr, delta)[0])


def epsilon_bound(
    members: np.ndarray, nonmembers: np.ndarray, *, delta: float = 0.0, level: float = _LEVEL, seed: int = 0
) -> EpsilonBound:
    """Lower bound on epsilon from scores: one half of them chooses the threshold, the other half has the rates.

    The best threshold of all scores, measured on the same scores, would exceed the true epsilon too often.

    Args:
      members: (m,) scores, at least two.
      nonmembers: (n,) scores, at least two.
      delta: in [0, 1).
      level: probability that the bound holds.
      seed: of the halves.

    Raises:
      UserError: see `roc.check_scores`, or there are too few scores, or delta or level are out of range.
    """
    members, nonmembers = check_scores(members, nonmembers)
    check_level(delta, level)
    if min(len(members), len(nonmembers)) < 2:
        raise expected("two members and two non-members", f"{len(members)} and {len(nonmembers)}", "Pass more scores.")
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(scores), 2) for scores in (members, nonmembers)]
    (choosing_members, members), (choosing_nonmembers, nonmembers) = halves
    threshold = _best_threshold(choosing_members, choosing_nonmembers, delta, level)
    hits, alarms = (np.array([np.sum(scores >= threshold)]) for scores in (members, nonmembers))
    tpr, fpr = _bounds(hits, alarms, len(members), len(nonmembers), level)
    epsilon = float(_epsilons(tpr, fpr, delta)[0])
    return EpsilonBound(epsilon, delta, level, threshold, float(tpr[0]), float(fpr[0]), len(members), len(nonmembers))


def _best_threshold(members, nonmembers, delta, level):
    """The threshold with the highest bound; of several the highest threshold."""
    thresholds = np.unique(np.concatenate([members, nonmembers]))[::-1]
    hits, alarms = (len(s) - np.searchsorted(np.sort(s), thresholds, "left") for s in (members, nonmembers))
    tpr, fpr = _bounds(hits, alarms, len(members), len(nonmembers), level)
    return float(thresholds[np.argmax(_epsilons(tpr, fpr, delta))])


def _bounds(true_positives, false_positives, members, nonmembers, level):
    """Lower bounds of the TPR and upper bounds of the FPR, which hold together."""
    tail = (1 - level) / 2
    return rate_bounds(true_positives, members, tail)[0], rate_bounds(false_positives, nonmembers, tail)[1]


def _epsilons(tpr, fpr, delta):
    """Smallest epsilons that allow the rates, by both inequalities."""
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = np.log(np.maximum(tpr - delta, 0)) - np.log(fpr)
        negative = np.log(np.maximum(1 - fpr - delta, 0)) - np.log(1 - tpr)
    # inf - inf, of a threshold that nothing or everything reaches
    return np.maximum(np.nan_to_num(np.fmax(positive, negative), nan=0.0, posinf=math.inf, neginf=0.0), 0.0)


def check_level(delta: float, level: float) -> None:
    """Raises UserError unless delta is in [0, 1) and the level in (0, 1)."""
    if not 0 <= delta < 1:
        raise expected("delta in [0, 1)", delta, "Change the argument `delta`.")
    if not 0 < level < 1:
        raise expected("a level in (0, 1)", level, "Change the argument `level`.")
