"""Each rule of a sound comparison of inversions: rows that keep it and rows that break it."""

import pytest

from tfinv.evaluation.inversion_checks import (
    attack_converged,
    equal_accuracy,
    evaluators_are_accurate,
    gives_away_less,
)


def row(experiment, measure, value, *, half=0.02, budget="equal", method="miface", better="higher", **more):
    return {
        "kind": "inversion",
        "experiment": experiment,
        "measure": measure,
        "value": value,
        "ci95": [value - half, value + half],
        "budget": budget,
        "method": method,
        "better": better,
        "n": 100,
    } | more


def test_equal_accuracy():
    assert equal_accuracy({"a": 0.95, "b": 0.9375}).passed
    check = equal_accuracy({"a": 0.95, "b": 0.92, "c": 0.94})
    assert not check.passed
    assert "3.0 points apart (at most 2)" in check.evidence


def test_evaluators_are_accurate():
    assert evaluators_are_accurate({"mlp-1": 0.9, "cnn-2": 0.99}).passed
    check = evaluators_are_accurate({"mlp-1": 0.89, "cnn-2": 0.99})
    assert not check.passed
    assert "mlp-1 89.0 %" in check.evidence


def test_attack_converged():
    good = row("base", "confidence", 0.9, budget="convergence")
    bad = row("reversal", "confidence", 0.3, budget="convergence")
    early = row("reversal", "confidence", 0.1, budget="equal")
    assert attack_converged([good, early]).passed is True
    check = attack_converged([good, bad])
    assert check.passed is False
    assert "reversal, miface: 30 %" in check.evidence
    assert "base" not in check.evidence
    assert attack_converged([early]).passed is None


def pair(ours, theirs, measures=("acc@1", "ssim_to_nearest"), budgets=("equal", "convergence"), **more):
    return [
        row(experiment, measure, value, budget=budget, **more)
        for budget in budgets
        for measure in measures
        for experiment, value in (("reversal", ours), ("base", theirs))
    ]


@pytest.mark.parametrize(
    ("rows", "passed"),
    [
        (pair(0.2, 0.8), True),
        (pair(0.8, 0.2), False),
        (pair(0.8, 0.2, better="lower"), True),  # a larger distance gives away less
        (pair(0.2, 0.8, better="lower"), False),
        (pair(0.5, 0.52), False),  # within chance
        (pair(0.5, 0.52, half=0.005), True),  # the same difference, measured better
        (pair(0.2, 0.8, measures=("acc@1",)), False),  # one measure is too few
        (pair(0.2, 0.8, budgets=("equal",)) + pair(0.8, 0.2, budgets=("convergence",)), False),  # at convergence not
        (pair(0.2, 0.8) + pair(0.8, 0.2, method="gradient"), False),  # another attack turns it round
        (pair(0.2, 0.8) + pair(0.8, 0.2, measures=("confidence",)), True),  # the model's own belief does not count
        ([], None),
        (pair(0.2, 0.8)[::2], None),  # nothing to compare with
    ],
)
def test_gives_away_less(rows, passed):
    check = gives_away_less(rows, "reversal", ["base", "absent"])
    assert check.name == "reversal-gives-away-less"
    assert check.passed is passed


def test_gives_away_less_pools_seeds():
    """A difference of .04 with a half width of .02 is 2.77 standard errors; of .03, 2.08, but over four seeds 4.2."""
    assert gives_away_less(pair(0.5, 0.54), "reversal", ["base"]).passed is True
    assert gives_away_less(pair(0.5, 0.53), "reversal", ["base"]).passed is False
    seeds = [r for seed in range(4) for r in pair(0.5, 0.53, seed=seed)]
    assert gives_away_less(seeds, "reversal", ["base"]).passed is True


def test_gives_away_less_must_hold_against_every_other():
    better = pair(0.2, 0.8)
    worse = [
        r | {"experiment": "positive", "value": 0.1, "ci95": [0.08, 0.12]} for r in better if r["experiment"] == "base"
    ]
    check = gives_away_less(better + worse, "reversal", ["base", "positive"])
    assert check.passed is False
    assert "against base, equal: less by acc@1, ssim_to_nearest; more by none; 2 comparisons" in check.evidence
    assert "against positive, equal: less by no measure; more by acc@1, ssim_to_nearest" in check.evidence
