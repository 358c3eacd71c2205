"""Differences of two trainings target by target, and what is claimed of them, on figures made by hand."""

import numpy as np
import pytest
from scipy import stats

from tfinv.evaluation.membership.differences import adversarial_training_leaks_more, defence_leaks_less, differences

USUAL = [0.60, 0.62, 0.64, 0.58]


def rows(experiment, values, attack="lira", measure="auc", **keys):
    shared = {"kind": "membership", "experiment": experiment, "attack": attack, "measure": measure, "seed": 0} | keys
    return [shared | {"target": f"shadow {i}", "value": value} for i, value in enumerate(values)]


def compared(*gains, accuracies=(0.9, 0.95), check=adversarial_training_leaks_more, **options):
    """The check of AUCs that exceed the usual ones by each attack's gains."""
    table = []
    for number, gain in enumerate(gains):
        attack = f"attack{number}"
        table += rows("none", USUAL, attack) + rows("robust", np.add(USUAL, gain), attack)
    return check(differences(table, "robust", "none"), accuracies, **options)


def test_a_difference_is_that_of_the_targets_of_the_same_half():
    other = rows("robust", [0.64, 0.6, 0.7, 0.6])
    noise = [*rows("robust", [0.9] * 4, group="cat"), *rows("robust", [0.9] * 4, measure="tpr@1%", threshold="shadows")]
    pooled = [
        {"kind": "membership", "experiment": "robust", "attack": "lira", "measure": "auc", "value": 0.1, "seed": [0]}
    ]
    shuffled = rows("none", USUAL)[::-1]
    (difference,) = differences([*shuffled, *other, *noise, *pooled], "robust", "none")
    gains = np.array([0.04, -0.02, 0.06, 0.02])
    half = stats.t.ppf(0.975, 3) * gains.std(ddof=1) / 2
    assert difference.row() == {
        "kind": "membership difference",
        "experiment": "robust",
        "than": "none",
        "attack": "lira",
        "measure": "auc",
        "value": pytest.approx(0.025),
        "ci95": [pytest.approx(0.025 - half), pytest.approx(0.025 + half)],
        "targets": 4,
    }


def test_targets_that_one_has_not_are_left_out():
    (difference,) = differences([*rows("none", USUAL), *rows("robust", [0.7])], "robust", "none")
    assert (difference.estimate.value, difference.row()["ci95"]) == (pytest.approx(0.1), None)
    assert differences(rows("none", USUAL), "robust", "none") == []


# Of four targets: Student's half width is 3.18 standard errors, and 4.18 for two attacks together.
UP, DOWN, NEITHER = [0.10, 0.11, 0.09, 0.10], [-0.10, -0.11, -0.09, -0.10], [0.1, -0.1, 0.05, -0.05]


@pytest.mark.parametrize(
    ("gains", "claim", "opposite", "outcome"),
    [
        ([UP, NEITHER], True, False, "more members found"),
        ([DOWN, NEITHER], False, True, "fewer members found"),
        ([NEITHER, NEITHER], None, None, "not shown: no attack finds"),
        ([UP, DOWN], None, None, "not shown: one attack finds more, another less"),
        ([[0.1] * 4], None, None, "not shown: no attack finds"),
    ],
)
def test_a_claim_is_shown_refuted_or_neither(gains, claim, opposite, outcome):
    robust, private = compared(*gains), compared(*gains, check=defence_leaks_less)
    assert (robust.name, private.name) == ("adversarial-training-leaks-more (robust)", "defence-leaks-less (robust)")
    assert (robust.passed, private.passed) == (claim, opposite)
    assert robust.evidence.startswith(outcome)
    assert robust.evidence.endswith("held-out accuracy 90.00 % against 95.00 %")


def test_the_intervals_are_for_all_attacks_and_trainings_together():
    gain = [0.02, 0.06, 0.01, 0.05]  # mean .035, standard error .0119: 2.94 of them
    assert compared(gain).passed is None
    gain = [0.02, 0.05, 0.03, 0.04]  # 5.4 of them
    assert compared(gain).passed is True
    assert compared(gain, comparisons=20).passed is None
    error = np.std(gain, ddof=1) / 2
    low = 0.035 - stats.t.ppf(1 - 0.025 / 2, 3) * error
    assert f"attack0 +0.035 [{low:+.3f}, " in compared(gain, comparisons=2).evidence
    assert "(4 targets; intervals of 95 % for all 2 together)" in compared(gain, comparisons=2).evidence


def test_without_anything_to_compare_nothing_is_shown():
    assert defence_leaks_less([], (0.5, 0.6)).passed is None
