"""Records most at risk and how stable that is over targets, and the measures of each class or subgroup."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from tfinv.errors import expected
from tfinv.evaluation.membership import roc
from tfinv.evaluation.membership.intervals import (
    RATE,
    auc_interval,
    rate_bounds,
    rate_high,
    rate_low,
    tpr_interval,
)
from tfinv.evaluation.membership.measure import rate_name

# Number of common members from which on two targets' orders are compared.
_FEWEST_COMMON = 10


@dataclasses.dataclass(frozen=True, eq=False)
class RecordRisk:
    """How often an attack names each of k records, over targets that were trained on it and targets that were not.

    Attributes:
      records: (k,) indices, those most at risk first: by rate, then by place, then by the mean rank of the score among a target's.
      rate: (k,) share of the targets trained on the record whose attack calls it a member at the FPR; NaN if there is none.
      low: (k,) Clopper and Pearson's 95 % bound of the rate, of each record alone.
      high: (k,) likewise.
      targets: (k,) number of targets trained on the record.
      false_alarms: (k,) share of the others whose attack calls it a member; NaN if there is none.
      place: (k,) mean share of a target's non-members with a lower score, over the targets trained on the record.
      fpr: of the thresholds.
    """

    records: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    targets: np.ndarray
    false_alarms: np.ndarray
    place: np.ndarray
    fpr: float

    def first(self, count: int) -> "RecordRisk":
        """The first records that a target was trained on, at most so many."""
        count = min(count, int(np.sum(self.targets > 0)))  # those that none was trained on come last
        columns: dict[str, Any] = {
            k: column[:count] for k, column in vars(self).items() if isinstance(column, np.ndarray)
        }
        return dataclasses.replace(self, **columns)


@dataclasses.dataclass(frozen=True)
class Stability:
    """Agreement of the targets on which of their members are most at risk; means over pairs of targets.

    Attributes:
      correlation: Spearman's, of the scores of the members that two targets share.
      correlation_ci95: (low, high) by a jackknife of targets, since pairs share them; None with fewer than three.
      overlap: share of one target's `top` members most at risk that are among the other's, of the members that both share.
      overlap_ci95: likewise.
      chance: overlap of random orders.
      top: share of the members that counts as most at risk.
      pairs: number of pairs of targets with enough members in common.
      targets: number of targets in them.
    """

    correlation: float
    correlation_ci95: tuple[float, float] | None
    overlap: float
    overlap_ci95: tuple[float, float] | None
    chance: float
    top: float
    pairs: int
    targets: int


def record_risk(scores: np.ndarray, members: np.ndarray, fpr: float = 0.01) -> RecordRisk:
    """Computes the risk of each record over targets, those most at risk first.

    With a single target the rate is 0 or 1, and place and score order the records.

    Args:
      scores: (n, T) score of each record by the attack on each target.
      members: (n, T) bool, whether the target was trained on it.
      fpr: each target's threshold is set at it, on its own non-members.

    Raises:
      UserError: the arrays do not agree, or a target has no member or no non-member.
    """
    scores, members = _check(scores, members)
    calls, places = np.zeros(scores.shape, bool), np.zeros(scores.shape)
    for target in range(scores.shape[1]):
        nonmembers = scores[~members[:, target], target]
        calls[:, target] = roc.above(scores[:, target], roc.threshold_at(nonmembers, fpr))
        places[:, target] = roc.placements(scores[:, target], nonmembers)
    trained, others = members.sum(1), (~members).sum(1)
    hits, alarms = (calls & members).sum(1), (calls & ~members).sum(1)
    with np.errstate(invalid="ignore"):
        rate, false_alarms = hits / trained, alarms / others
        place = (places * members).sum(1) / trained
        # Ranks, since scores of different targets need not be on one scale, and may be infinite.
        rank = np.sum(stats.rankdata(scores, axis=0), axis=1, where=members) / trained
    low, high = rate_bounds(hits, trained, 0.025)
    order = np.lexsort([-np.nan_to_num(key, nan=-1.0) for key in (rank, place, rate)])
    rate, low, high, trained, false_alarms, place = (
        column[order] for column in (rate, low, high, trained, false_alarms, place)
    )
    return RecordRisk(order, rate, low, high, trained, false_alarms, place, float(fpr))


def stability(scores: np.ndarray, members: np.ndarray, top: float = 0.05) -> Stability | None:
    """Computes how far targets agree on which members are most at risk.

    Args:
      scores: see `record_risk`.
      members: likewise.
      top: share of the common members that counts as most at risk, at least one of them.

    Returns:
      The agreement; None if no two targets have ten members in common, as a pair of complements has none.

    Raises:
      UserError: see `record_risk`, or `top` is not in (0, 1).
    """
    scores, members = _check(scores, members)
    if not 0 < top < 1:
        raise expected("a share in (0, 1)", top, "Change the argument `top`.")
    pairs, rows = [], []
    for a, b in itertools.combinations(range(scores.shape[1]), 2):
        common = members[:, a] & members[:, b]
        if common.sum() >= _FEWEST_COMMON:
            pairs.append((a, b))
            rows.append(_agreement(scores[common, a], scores[common, b], top))
    if not pairs:
        return None
    correlation, overlap, chance = np.array(rows).T
    targets = np.unique(pairs)
    return Stability(
        float(correlation.mean()),
        _jackknife(correlation, pairs, targets),
        float(overlap.mean()),
        _jackknife(overlap, pairs, targets),
        float(chance.mean()),
        top,
        len(pairs),
        len(targets),
    )


def by_group(
    members: np.ndarray,
    nonmembers: np.ndarray,
    member_groups: Sequence[Any],
    nonmember_groups: Sequence[Any],
    *,
    seed: int,
    fpr: float = 0.01,
) -> list[dict[str, Any]]:
    """Measures each class or subgroup: its AUC within the group, and its TPR at thresholds of the group's own and of all.

    A group's own threshold asks how well its members are told from its non-members; the common one whom an attacker would name.

    Args:
      members: (m,) scores.
      nonmembers: (n,) scores.
      member_groups: (m,) names or numbers of the groups.
      nonmember_groups: (n,) likewise.
      seed: of the run.
      fpr: of the TPR.

    Returns:
      Rows of kind "membership" with `group`, and `comparisons`, the number of groups: of twenty intervals one errs. Groups without
      members or without non-members are left out.

    Raises:
      UserError: see `roc.check_scores`, or the lengths differ.
    """
    members, nonmembers = roc.check_scores(members, nonmembers)
    of_members, of_nonmembers = np.asarray(member_groups), np.asarray(nonmember_groups)
    if of_members.shape != members.shape or of_nonmembers.shape != nonmembers.shape:
        raise expected(
            "a group for each score",
            f"{of_members.shape} and {of_nonmembers.shape} for {members.shape} and {nonmembers.shape}",
            "Change `member_groups` or `nonmember_groups`.",
        )
    groups = np.intersect1d(of_members, of_nonmembers)
    threshold = roc.threshold_at(nonmembers, fpr)
    rows = []
    for group in groups.tolist():
        inside, outside = members[of_members == group], nonmembers[of_nonmembers == group]
        hits = int(roc.above(inside, threshold).sum())
        common = hits / len(inside), rate_low(hits, len(inside), 0.025), rate_high(hits, len(inside), 0.025)
        area, tpr = auc_interval(inside, outside), tpr_interval(inside, outside, fpr)
        for name, value, low, high, keys in (
            ("auc", area.value, area.low, area.high, {"interval": area.method}),
            (
                f"tpr@{rate_name(fpr)}",
                tpr.value,
                tpr.low,
                tpr.high,
                {"fpr": fpr, "threshold": "group", "interval": tpr.method},
            ),
            (f"tpr@{rate_name(fpr)}", *common, {"fpr": fpr, "threshold": "curve", "interval": RATE}),
        ):
            rows.append(
                {
                    "kind": "membership",
                    "measure": name,
                    "value": value,
                    "ci95": [low, high],
                    "group": group,
                    "comparisons": len(groups),
                    "n": len(inside) + len(outside),
                    "members": len(inside),
                    "nonmembers": len(outside),
                    "seed": seed,
                    **keys,
                }
            )
    return rows


def _check(scores, members):
    scores, members = np.asarray(scores, np.float64), np.asarray(members, bool)
    if scores.ndim != 2 or scores.shape != members.shape or not scores.size or np.isnan(scores).any():
        raise expected(
            "scores (records, targets) without NaN, and whether each is a member",
            f"shapes {scores.shape} and {members.shape}, {int(np.isnan(scores).sum())} NaN",
            "Change `scores` or `members`.",
        )
    if not (members.any(0) & ~members.all(0)).all():
        raise expected("members and non-members of each target", "one without", "Change `members`.")
    return scores, members


def _agreement(a, b, top):
    """Spearman's correlation of two targets' scores, overlap of their tops, and that of random orders."""
    # Scores that are all one have no order.
    varied = np.ptp(a) > 0 and np.ptp(b) > 0
    correlation = float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1]) if varied else 0.0
    size = max(1, round(top * len(a)))
    tops = [set(np.argsort(-s, kind="stable")[:size].tolist()) for s in (a, b)]
    return correlation, len(tops[0] & tops[1]) / size, size / len(a)


def _jackknife(values, pairs, targets):
    """95 % interval of a mean over pairs, leaving out a target at a time (Efron and Stein 1981); None where that leaves no pair."""
    if len(targets) < 3:
        return None
    without = [np.array([t not in pair for pair in pairs]) for t in targets]
    if not all(mask.any() for mask in without):
        return None
    means = np.array([values[mask].mean() for mask in without])
    n = len(targets)
    error = float(np.sqrt((n - 1) / n * np.sum((means - means.mean()) ** 2)))
    half = float(stats.t.ppf(0.975, n - 1)) * error
    return float(values.mean() - half), float(values.mean() + half)
