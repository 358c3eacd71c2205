"""ROC curve of a membership attack as steps, and its measures: AUC, advantage, TPR at an FPR, precision at a prior.

A threshold t calls every record with a score of at least t a member. TPR is the share of members, FPR the share of non-members that
it calls so. **Ties are resolved against the attacker**: records of one score are called members together or not at all, and nothing
is interpolated, so each point is of a threshold that exists. TPR at an FPR is the highest TPR of a threshold whose FPR is not above
it (the step rule; Carlini et al. 2022, section IV). Only the AUC counts a tied pair as one half, the Mann-Whitney statistic: then
it depends on no sorting, and scores that say nothing have the AUC of guessing.
"""

import dataclasses
import math

import numpy as np

from tfinv.errors import expected

# False-positive rates at which attacks are compared, and shares of members among the records that an attacker meets.
FPRS = (0.01, 0.001, 0.0)
PRIORS = (0.5, 0.1, 0.01)


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """ROC curve, from (0, 0) to (1, 1): one point for each distinct score, the highest first.

    Attributes:
      fpr: (k + 1,) rising.
      tpr: (k + 1,) rising.
      thresholds: (k + 1,) the score that the point's members reach; infinity for the first.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


def check_scores(members: np.ndarray, nonmembers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64.

    Args:
      members: (m,) scores, higher for what is likelier a member.
      nonmembers: (n,) scores.

    Raises:
      UserError: one of them is empty, is not of one dimension, or has a NaN.
    """
    arrays = []
    for name, scores in (("members", members), ("nonmembers", nonmembers)):
        array = np.asarray(scores, np.float64)
        if array.ndim != 1 or not len(array):
            raise expected(f"scores (n,) of {name}, at least one", f"shape {array.shape}", f"Change `{name}`.")
        if np.isnan(array).any():
            raise expected(
                f"scores of {name} that are numbers",
                f"{int(np.isnan(array).sum())} of {len(array)} are NaN",
                "Leave out what could not be scored, or see why.",
            )
        arrays.append(array)
    return arrays[0], arrays[1]


def roc_curve(members: np.ndarray, nonmembers: np.ndarray) -> Curve:
    """Computes the curve.

    Args:
      members: see `check_scores`.
      nonmembers: likewise.

    Raises:
      UserError: see `check_scores`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    thresholds = np.unique(np.concatenate([members, nonmembers]))[::-1]
    tpr, fpr = (_reaching(scores, thresholds) / len(scores) for scores in (members, nonmembers))
    return Curve(np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr]), np.concatenate([[np.inf], thresholds]))


def auc(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """Probability that a member's score is above a non-member's, a tie counting one half; .5 is guessing.

    Raises:
      UserError: see `check_scores`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    return float(placements(members, nonmembers).mean())


def placements(members: np.ndarray, nonmembers: np.ndarray) -> np.ndarray:
    """Share of the non-members below each member, ties counting one half: (m,), whose mean is the AUC."""
    order = np.sort(nonmembers)
    below, upto = (np.searchsorted(order, members, side) for side in ("left", "right"))
    return (below + upto) / (2 * len(order))


def advantage(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """Largest TPR - FPR of a threshold, at least 0 (Yeom et al. 2018). A maximum over the sample, so it is a little too high.

    Raises:
      UserError: see `check_scores`.
    """
    curve = roc_curve(members, nonmembers)
    return float(np.max(curve.tpr - curve.fpr))


def false_positives(fpr: float, nonmembers: int) -> int:
    """Number of non-members that a threshold may call members at an FPR.

    Raises:
      UserError: the FPR is not in [0, 1].
    """
    if not 0 <= fpr <= 1:
        raise expected("an FPR in [0, 1]", fpr, "Change the argument `fpr`.")
    return math.floor(fpr * nonmembers + 1e-9)  # .29 * 100 is 28.999999999999996


def threshold_at(nonmembers: np.ndarray, fpr: float) -> float:
    """Score that a member must exceed at an FPR: the lowest that leaves no more non-members above it.

    Args:
      nonmembers: (n,) scores, of a target or of shadow models that stand for it.
      fpr: in [0, 1].

    Returns:
      The score; -infinity if all may be called members.
    """
    allowed = false_positives(fpr, len(nonmembers))
    if allowed >= len(nonmembers):
        return -math.inf
    place = len(nonmembers) - 1 - allowed
    return float(np.partition(nonmembers, place)[place])


def tpr_at_fpr(members: np.ndarray, nonmembers: np.ndarray, fpr: float) -> float:
    """TPR at an FPR by the step rule. With 0 it is the share of members above every non-member.

    Raises:
      UserError: see `check_scores` and `false_positives`.
    """
    members, nonmembers = check_scores(members, nonmembers)
    return float(np.mean(above(members, threshold_at(nonmembers, fpr))))


def above(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Whether each score exceeds a threshold of `threshold_at`; -infinity is exceeded by all."""
    return (scores > threshold) | (threshold == -math.inf)


def precision(tpr: float, fpr: float, prior: float) -> float:
    """Share of members among the records that a threshold calls members, by Bayes' rule.

    Args:
      tpr: of the threshold.
      fpr: of the threshold: the one that it stands for, and not the count in the sample, which may be 0 by chance.
      prior: share of members among all records that the attacker meets.

    Returns:
      The precision; NaN if the threshold calls nothing a member.
    """
    if not 0 < prior < 1:
        raise expected("a prior between 0 and 1", prior, "Change the argument `prior`.")
    flagged = prior * tpr + (1 - prior) * fpr
    return prior * tpr / flagged if flagged > 0 else math.nan


def _reaching(scores, thresholds):
    """Number of scores that are at least each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, "left")
