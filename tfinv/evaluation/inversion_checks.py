"""Rules of a sound comparison of inversions, held against the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfinv.evaluation.check import Check

Row = dict[str, Any]


def equal_accuracy(accuracies: Mapping[str, float], most: float = 0.02) -> Check:
    """Models whose reconstructions are compared must classify equally well."""
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
    found = [r for r in rows if r["measure"] == "confidence" and r["budget"] == "convergence"]
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

    Rows of one measure are compared by their intervals: the defended model gives away less where its interval lies wholly on
    the worse side of the other's.

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
        f"The defence does not show by at least {least} measures at each budget. Where it gives away more, the reconstructions of the "
        "defended model are the better ones: do not call it private.",
    )


def _compare(rows, defended, other, budget):
    less, more, total = [], [], 0
    theirs = {_key(r): r for r in rows if r["experiment"] == other and r["budget"] == budget}
    for row in rows:
        if row["experiment"] != defended or row["budget"] != budget or row["measure"] == "confidence":
            continue
        rival = theirs.get(_key(row))
        if rival is None or row.get("better") is None or not row["ci95"] or not rival["ci95"]:
            continue
        total += 1
        name = row["measure"] + (f" ({row['method']})" if row["method"] == "fresh-decoder" else "")
        below, above = row["ci95"][1] < rival["ci95"][0], row["ci95"][0] > rival["ci95"][1]
        if row["better"] == "lower":
            below, above = above, below
        if below:
            less.append(name)
        elif above:
            more.append(name)
    return less, more, total


def _key(row):
    return row["method"], row["measure"], row.get("evaluator"), row["seed"]
