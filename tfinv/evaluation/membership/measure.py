"""Rows of kind "membership": all measures of one attack on one target, and their means over targets and seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.errors import expected
from tfinv.evaluation.membership import roc
from tfinv.evaluation.membership.epsilon import epsilon_bound
from tfinv.evaluation.membership.intervals import (
    Estimate,
    advantage_interval,
    auc_interval,
    tpr_interval,
    zero_fpr_bound,
)
from tfinv.evaluation.statistics.estimation import estimate_mean
from tfinv.evaluation.statistics.intervals import rate_interval

Row = dict[str, Any]

# Keys in which the rows of several targets and seeds may differ, and yet be of one measure.
_OF_A_RUN = ("value", "ci95", "interval", "n", "members", "nonmembers", "seed", "target", "fpr_bound", "realised_fpr")


def measure(
    members: np.ndarray,
    nonmembers: np.ndarray,
    *,
    seed: int,
    shadow_nonmembers: np.ndarray | None = None,
    fprs: Sequence[float] = roc.FPRS,
    priors: Sequence[float] = roc.PRIORS,
) -> list[Row]:
    """Measures an attack by its scores.

    Args:
      members: (m,) scores of records of the target's training set, higher for what is likelier a member.
      nonmembers: (n,) scores of others.
      seed: of the run; it also draws the halves of the epsilon bound.
      shadow_nonmembers: scores that the same attack gives to non-members of shadow models, each taken as a target. They set
        thresholds that need no label of the target's own records, as an attacker's would.
      fprs: false-positive rates.
      priors: shares of members among the records that an attacker meets.

    Returns:
      Rows with measure ("auc", "advantage", "tpr@1%", "tpr@0.1%", "tpr@0%", "precision@1%", ..., "epsilon"), value, ci95, interval
      (its method), n, members, nonmembers, seed; of rates also fpr, and `threshold`: "curve" if the non-members themselves set it,
      "shadows" if the shadows did. The latter have their `realised_fpr`, and its interval `fpr_ci95`. A row at an FPR of 0 has
      `fpr_bound`, the upper 95 % bound of what that FPR is. Precision has its `prior`. An "epsilon" is a lower bound at 95 % and
      has no interval. The caller adds experiment, attack and target.

    Raises:
      UserError: see `roc.check_scores`.
    """
    members, nonmembers = roc.check_scores(members, nonmembers)
    shared: Row = {
        "n": len(members) + len(nonmembers),
        "members": len(members),
        "nonmembers": len(nonmembers),
        "seed": seed,
    }
    rows = [_row("auc", auc_interval(members, nonmembers)), _row("advantage", advantage_interval(members, nonmembers))]
    for fpr in fprs:
        tpr = tpr_interval(members, nonmembers, fpr)
        keys: Row = {"fpr": float(fpr), "threshold": "curve"}
        bound = {} if fpr else {"fpr_bound": zero_fpr_bound(len(nonmembers))}
        rows.append(_row(f"tpr@{rate_name(fpr)}", tpr, **keys, **bound))
        if fpr:
            rows += [_precision(tpr, fpr, prior, keys) for prior in priors]
        if shadow_nonmembers is not None:
            rows.append(_at_shadows_threshold(members, nonmembers, shadow_nonmembers, fpr))
    if min(len(members), len(nonmembers)) > 1:
        epsilon = epsilon_bound(members, nonmembers, seed=seed)
        rows.append(
            {"kind": "membership", "measure": "epsilon", "value": epsilon.epsilon, "ci95": None, "delta": epsilon.delta}
        )
    return [row | shared for row in rows]


def pool(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Means over targets and seeds, with intervals that allow for both (see `tfinv.evaluation.statistics.estimation`).

    Targets are what varies: each is a training of its own. Where they share their images, as shadows that are each a target once
    do, the interval is of another target on these images, and not of other images. Targets that are all of one value, such as a TPR
    of 0, say nothing of how others vary: there the interval's ends are the means of the targets' own.

    Args:
      rows: of `measure`, with a `target` and a `seed` each.

    Returns:
      A row for each measure that more than one run has, with a list as its `seed`, and `targets`, their number. Bounds on epsilon
      are left out: a mean of bounds is none.

    Raises:
      UserError: a target and seed come twice, or the seeds do not have the same targets.
    """
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for row in rows:
        key = tuple(sorted((k, v) for k, v in row.items() if k not in (*_OF_A_RUN, "fpr_ci95")))
        if row["measure"] != "epsilon" and row.get("value") is not None:
            groups.setdefault(key, []).append(row)
    return [_mean(members) for members in groups.values() if len(members) > 1]


def rate_name(rate: float) -> str:
    """Name of a rate in a measure: "1%", "0.1%", "0%"."""
    return f"{100 * rate:g}%"


def _mean(rows):
    """One row of the same measure of several targets and seeds."""
    targets, seeds = (list(dict.fromkeys(row[key] for row in rows)) for key in ("target", "seed"))
    cells = {(row["seed"], row["target"]): row["value"] for row in rows}
    if len(cells) != len(rows) or len(cells) != len(targets) * len(seeds):
        raise expected(
            "each target once for each seed",
            f"{len(rows)} rows of {rows[0]['measure']} for {len(targets)} targets and {len(seeds)} seeds",
            "Pool runs of the same targets.",
        )
    values = [np.array([cells[seed, target] for target in targets]) for seed in seeds]
    mean = estimate_mean([(v, np.arange(len(targets))) for v in values])
    (low, high), method = mean.interval() or (math.nan, math.nan), "Student"
    if np.ptp(values) == 0 and all(row.get("ci95") for row in rows):
        (low, high), method = np.mean([row["ci95"] for row in rows], axis=0).tolist(), rows[0]["interval"]
    low, high = max(0.0, low), min(1.0, high)  # all measures are shares
    identity = {k: v for k, v in rows[0].items() if k not in (*_OF_A_RUN, "fpr_ci95")}
    sizes = {k: sum(row[k] for row in rows) for k in ("n", "members", "nonmembers")}
    realised = [row["realised_fpr"] for row in rows if row.get("realised_fpr") is not None]
    return {
        **identity,
        "value": mean.value,
        "ci95": [low, high],
        "interval": method,
        **({"realised_fpr": float(np.mean(realised))} if realised else {}),
        **sizes,
        "targets": len(targets),
        "seed": seeds,
    }


def _row(name: str, estimate: Estimate, **keys: Any) -> Row:
    ci95 = [estimate.low, estimate.high]
    row = {"kind": "membership", "measure": name, "value": estimate.value, "ci95": ci95, "interval": estimate.method}
    return row | keys


def _precision(tpr, fpr, prior, keys):
    """Precision at the FPR that the threshold stands for: it rises with the TPR, so the interval's ends are those of the TPR's."""
    value, low, high = (roc.precision(t, fpr, prior) for t in (tpr.value, tpr.low, tpr.high))
    return _row(f"precision@{rate_name(fpr)}", Estimate(value, low, high, tpr.method), **keys, prior=float(prior))


def _at_shadows_threshold(members, nonmembers, shadow_nonmembers, fpr):
    """The TPR at the shadows' threshold, which is fixed as far as the target's records are concerned."""
    shadow_scores = roc.check_scores(shadow_nonmembers, shadow_nonmembers)[0]
    threshold = roc.threshold_at(shadow_scores, fpr)
    hits, alarms = (int(roc.above(scores, threshold).sum()) for scores in (members, nonmembers))
    estimate = Estimate(hits / len(members), *rate_interval(hits, len(members)), "Wilson")
    return _row(f"tpr@{rate_name(fpr)}", estimate, fpr=float(fpr), threshold="shadows") | {
        "realised_fpr": alarms / len(nonmembers),
        "fpr_ci95": list(rate_interval(alarms, len(nonmembers))),
    }
