"""Checks of a membership evaluation: those of `evaluation.membership` that apply to its targets and scores."""

from collections.abc import Iterable, Sequence

import numpy as np

from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.membership.targets import Target
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.membership import checks, data_checks, roc

# Examples whose logits the checks of models compare.
_ROWS = 2000


def data_and_size_checks(members: np.ndarray, data: Dataset, seed: int) -> list[Check]:
    """Checks of one target's members and non-members, for which no model is asked.

    Args:
      members: (n,) bool.
      data: the n examples.
      seed: of what the checks draw.
    """
    inside, outside = data.images_at(np.flatnonzero(members)), data.images_at(np.flatnonzero(~members))
    labels = data.labels
    return [
        *(checks.enough_nonmembers(len(outside), fpr) for fpr in roc.FPRS),
        data_checks.members_and_nonmembers_alike(inside, outside, labels[members], labels[~members], seed=seed),
        data_checks.members_disjoint(inside, outside),
    ]


def model_checks(target: Target) -> list[Check]:
    """Checks that compare a target with its shadows, on 2,000 examples at most; none without shadows."""
    evidence, shadows = target.evidence, target.evidence.shadows
    if shadows is None:
        return []
    n = len(evidence)
    rows = np.unique(np.linspace(0, n - 1, min(n, _ROWS)).round().astype(int))
    logits = [shadows.logits(number, rows)[:, 0] for number in range(shadows.size)]
    right = np.stack([part.argmax(axis=-1) == evidence.labels[rows] for part in logits], axis=1)
    outside = ~shadows.members[rows]
    hits = [(int(right[out, i].sum()), int(out.sum())) for i, out in enumerate(outside.T) if out.any()]
    reach = target.held_out_hits(rows)
    of_target = None if evidence.logits is None else evidence.logits[rows, 0]
    return [
        checks.target_is_no_shadow(of_target, logits),
        *([checks.shadows_reach_the_target(reach, hits)] if reach[1] else []),
    ]


def score_checks(
    results: Sequence[AttackScores], nulls: Iterable[AttackScores] = (), twins: Iterable[AttackScores] = ()
) -> list[Check]:
    """Checks of the scores of all attacks on all targets.

    Args:
      results: of the targets.
      nulls: of models that were trained on none of the examples, in the targets' places; of one of two complements only.
      twins: of an overfitted twin of the one target, on the same examples.
    """
    # The gap attack has two scores, and no other measure than its advantage; alone, it must not pass for a TPR of 0.
    ranked = [result for result in results if not result.attack.startswith("gap")] or list(results)
    tied = merge((f"{r.attack} on {r.target}", checks.scores_not_tied(*r.sides)) for r in ranked)
    by_attack: dict[str, list[AttackScores]] = {}
    for null in nulls:
        by_attack.setdefault(null.attack, []).append(null)
    null_checks = [(name, checks.null_target_at_chance([r.sides for r in group])) for name, group in by_attack.items()]
    models = {result.attack: result for result in results}
    twin_checks = [(t.attack, checks.overfitted_twin_is_worse(models[t.attack].sides, t.sides)) for t in twins]
    return [*tied, *(merge(null_checks) or [checks.null_target_at_chance([])]), *merge(twin_checks)]
