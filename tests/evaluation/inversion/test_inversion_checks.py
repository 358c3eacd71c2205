"""Each rule of a sound comparison of inversions: rows that keep it and rows that break it."""

import numpy as np
import pytest

from tfinv.evaluation.inversion.inversion_checks import (
    attack_converged,
    equal_accuracy,
    evaluators_are_accurate,
    gives_away_less,
)
from tfinv.evaluation.statistics.measurement import Measurement, Values


def row(experiment, measure, value, *, half=0.02, budget="equal", method="miface", better="higher", **keys):
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
    } | keys


def test_equal_accuracy():
    assert equal_accuracy({"a": 0.95, "b": 0.9375}).passed
    check = equal_accuracy({"a": 0.95, "b": 0.92, "c": 0.94})
    assert not check.passed
    assert "3.0 points apart (at most 2)" in check.evidence


@pytest.mark.parametrize(
    ("attacked", "accuracies", "n", "poor"),
    [
        (0.97, {"mlp-1": 0.93, "cnn-2": 0.99}, 1000, ""),
        (0.97, {"mlp-1": 0.89, "cnn-2": 0.99}, 1000, "mlp-1"),
        (0.66, {"mlp-1": 0.64, "cnn-2": 0.66}, 1000, ""),  # as good as a model of hard images
        (0.66, {"mlp-1": 0.48, "cnn-2": 0.41}, 1000, "mlp-1, cnn-2"),
        (0.66, {"mlp-1": 0.54}, 50, ""),  # of few images it may be chance
    ],
)
def test_evaluators_are_accurate_where_the_attacked_model_is(attacked, accuracies, n, poor):
    check = evaluators_are_accurate(accuracies, attacked, n)
    assert check.passed is (not poor)
    assert f"of the attacked model {100 * attacked:.1f} %" in check.evidence
    assert f"need 95 %, so {100 * (0.95 * attacked):.1f} %" in check.evidence
    assert f"mlp-1 {100 * accuracies['mlp-1']:.1f} %" in check.evidence
    assert check.evidence.endswith(f"Below: {poor}" if poor else f"{n} images)")


def test_attack_converged():
    good = row("base", "confidence", 0.9, budget="convergence")
    bad = row("reversal", "confidence", 0.3, budget="convergence")
    early = row("reversal", "confidence", 0.1, budget="equal")
    assert attack_converged([good, early]).passed is True
    check = attack_converged([good, bad])
    assert check.passed is False
    assert "reversal, miface: 30 %" in check.evidence
    # Of several seeds the mean.
    assert attack_converged([good, bad, bad | {"value": 0.9, "seed": 1}]).passed is True
    assert "base" not in check.evidence
    # A method without a rule to stop by is judged by what it has.
    assert attack_converged([good, early | {"method": "network"}]).passed is False
    assert attack_converged([]).passed is None


def pair(defended, base, measures=("acc@1", "relative_error"), budgets=("equal", "convergence"), **keys):
    return [
        row(experiment, measure, value, budget=budget, **keys)
        for budget in budgets
        for measure in measures
        for experiment, value in (("reversal", defended), ("base", base))
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
        (pair(0.2, 0.8) + pair(0.8, 0.2, measures=("ssim_to_nearest",)), True),  # nor does what rewards blur
        ([], None),
        (pair(0.2, 0.8)[::2], None),  # nothing to compare with
    ],
)
def test_gives_away_less(rows, passed):
    check = gives_away_less(rows, "reversal", ["base", "absent"])
    assert check.name == "gives-away-less"
    assert check.passed is passed


def test_gives_away_less_pools_seeds():
    """A difference of .04 with a half width of .02 is 2.77 standard errors; of .02, 1.39, but over four seeds 2.77."""
    assert gives_away_less(pair(0.5, 0.54), "reversal", ["base"]).passed is True
    assert gives_away_less(pair(0.5, 0.52), "reversal", ["base"]).passed is False
    seeds = [r for seed in range(4) for r in pair(0.5, 0.52, seed=seed)]
    assert gives_away_less(seeds, "reversal", ["base"]).passed is True


def test_many_comparisons_need_stronger_evidence_each():
    """Two measures whose differences are 2.77 standard errors each suffice alone, and not among fifty that show nothing."""
    shown = pair(0.5, 0.54)
    silent = [r for i in range(50) for r in pair(0.5, 0.5, method=f"attack {i}", measures=("feature_distance",))]
    assert gives_away_less(shown, "reversal", ["base"]).passed is True
    assert gives_away_less(shown + silent, "reversal", ["base"]).passed is False


def test_a_measure_that_speaks_against_it_is_not_outvoted():
    contrary = pair(0.8, 0.2, measures=("identification_rank",))
    check = gives_away_less(pair(0.2, 0.8) + contrary, "reversal", ["base"])
    assert check.passed is False
    assert (
        "less by acc@1 (miface), relative_error (miface); more by identification_rank (miface); 3 comparisons"
        in check.evidence
    )


def test_gives_away_less_must_hold_against_every_other():
    better = pair(0.2, 0.8)
    worse = [
        r | {"experiment": "positive", "value": 0.1, "ci95": [0.08, 0.12]} for r in better if r["experiment"] == "base"
    ]
    check = gives_away_less(better + worse, "reversal", ["base", "positive"])
    assert check.passed is False
    assert (
        "against base, equal: less by acc@1 (miface), relative_error (miface); more by none; 2 comparisons"
        in check.evidence
    )
    assert (
        "against positive, equal: less by no measure; more by acc@1 (miface), relative_error (miface)" in check.evidence
    )


def test_pooled_rows_count_no_seed_twice():
    pooled = row("base", "confidence", 0.1, budget="convergence", seed=[0, 1])
    assert attack_converged([pooled]).passed is None


def values(experiment, measure, level, noise):
    """Ten classes that differ far more than the models do."""
    array = np.arange(10.0) + level + np.asarray(noise)
    keys = {"experiment": experiment, "method": "gradient", "seed": 0}
    return [
        Measurement(keys | {"budget": budget}, tuple(Values(m, array, np.arange(10)) for m in measure))
        for budget in ("equal", "convergence")
    ]


def test_gives_away_less_sees_a_difference_in_pairs():
    measures = ("identification_rank", "feature_distance")
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.standard_normal((2, 10))
    measurements = [*values("reversal", measures, 0.2, noise[0]), *values("base", measures, 0.0, noise[1])]
    rows = [r for m in measurements for r in m.rows()]
    assert gives_away_less(rows, "reversal", ["base"]).passed is False
    assert gives_away_less(rows, "reversal", ["base"], measurements=measurements).passed is True
    assert gives_away_less([], "base", ["reversal"], measurements=measurements).passed is False
    check = gives_away_less([], "reversal", ["base"], measurements=measurements)
    less = "feature_distance (gradient), identification_rank (gradient)"
    assert f"against base, equal: less by {less}; more by none; 2 comparisons" in check.evidence
