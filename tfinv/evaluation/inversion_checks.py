"""Rules of a sound comparison of inversions, held against the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfinv.evaluation.check import Check

Row = dict[str, Any]

# Two-sided 1 %: many measures are compared at once.
_Z = 2.58


def equal_accuracy(accuracies: Mapping[str, float], most: float = 0.02) -> Check:
    """Models whose reconstructions are compared must classify equally well."""
    if len(accuracies) < 2:
        return Check("equal-test-accuracy", None, "nothing to compare", "")
    spread = max(accuracies.values()) - min(accuracies.values())
    shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in accuracies.items())
    return Check(
        "equal-test-accuracy",
        spread <= most,
        f"{shown}: {100 * spread:.1f} points apart (at most {100 * most:g})",
        "A model that classifies worse also knows less to reconstruct, so its privacy may be nothing but lost accuracy. Lower "
        "the defence's --strength, or train longer.",
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


def attack_converged(rows: Sequence[Row], least: float = 0.5) -> Check:
    """At convergence the attacked model itself must mostly believe the reconstructions."""
    found = [r for r in rows if r["measure"] == "confidence" and r["budget"] != "equal"]
    weak = [r for r in found if r["value"] < least]
    shown = "; ".join(f"{r['experiment']}, {r['method']}: {100 * r['value']:.0f} %" for r in weak or found)
    return Check(
        "inversion-reaches-its-class",
        None if not found else not weak,
        f"mean confidence of the attacked model in its reconstructions: {shown}",
        "The inversion did not even convince the model it was made from, so a poor reconstruction shows a failed attack and not "
        "a private model: its gradients may be masked. Try another start, loss or step size before you call it a defence.",
    )


def gives_away_less(rows: Sequence[Row], defended: str, others: Sequence[str], least: int = 2) -> Check:
    """The defended model's reconstructions must be worse than each other model's, beyond chance, by several measures.

    Rows of one measure are averaged over seeds, and two averages differ beyond chance where their difference is more than 2.58
    of its standard errors, which are read off the rows' intervals.

    Args:
      rows: of kind "inversion", of one seed or several.
      defended: experiment.
      others: experiments it is compared with.
      least: in how many measures, at each budget.
    """
    verdicts, passed = [], True
    measured = {r["experiment"] for r in rows}
    for other in others:
        if other not in measured or defended not in measured:
            continue
        for budget in ("equal", "convergence"):
            less, more, total = _compare(rows, defended, other, budget)
            if not total:
                continue
            # A measure counts only where no attack turns it round.
            won = sorted(set(less) - set(more))
            passed &= len(won) >= least
            verdicts.append(
                f"against {other}, {budget}: less by {', '.join(won) or 'no measure'}; "
                f"more by {', '.join(sorted(set(more))) or 'none'}; {total} comparisons"
            )
    return Check(
        f"{defended}-gives-away-less",
        passed if verdicts else None,
        " | ".join(verdicts) or "nothing to compare",
        f"The defence does not show by at least {least} measures at each budget. Where it gives away more, the reconstructions "
        "of the defended model are the better ones: do not call it private.",
    )


def _compare(rows, defended, other, budget):
    """Names of the measures in which `defended` gives away less and more, and how many were compared."""
    less: list[str] = []
    more: list[str] = []
    total = 0
    ours, theirs = (_pooled(rows, experiment, budget) for experiment in (defended, other))
    for key in ours.keys() & theirs.keys():
        method, measure, better = key[0], key[1], key[3]
        total += 1
        difference = ours[key][0] - theirs[key][0]
        error = float(np.hypot(ours[key][1], theirs[key][1]))
        if abs(difference) <= _Z * error:
            continue
        name = measure + (f" ({method})" if method == "fresh-decoder" else "")
        (less if (difference < 0) == (better == "higher") else more).append(name)
    return less, more, total


def _pooled(rows, experiment, budget):
    """Mean over seeds and its standard error, by what was measured how."""
    grouped: dict[tuple, list[Row]] = {}
    for row in rows:
        judged = row.get("better") and row["ci95"] and row["measure"] != "confidence"
        if judged and row["experiment"] == experiment and row["budget"] == budget:
            key = (row["method"], row["measure"], row.get("evaluator"), row["better"])
            grouped.setdefault(key, []).append(row)
    pooled = {}
    for key, members in grouped.items():
        errors = [(r["ci95"][1] - r["ci95"][0]) / (2 * 1.96) for r in members]
        pooled[key] = (np.mean([r["value"] for r in members]), np.sqrt(np.sum(np.square(errors))) / len(members))
    return pooled
