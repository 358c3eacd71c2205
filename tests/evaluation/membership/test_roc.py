"""The curve and its measures: by hand, beside scikit-learn's, and with the ties that a good model's probabilities have."""

import math

import numpy as np
import pytest
from sklearn import metrics

from tfinv.errors import UserError
from tfinv.evaluation.membership import roc

MEMBERS = np.array([9.0, 7, 7, 3])
NONMEMBERS = np.array([8.0, 7, 5, 1, 0])


def test_the_curve_by_hand():
    curve = roc.roc_curve(MEMBERS, NONMEMBERS)
    np.testing.assert_array_equal(curve.thresholds, [np.inf, 9, 8, 7, 5, 3, 1, 0])
    np.testing.assert_allclose(curve.tpr, [0, 0.25, 0.25, 0.75, 0.75, 1, 1, 1])
    np.testing.assert_allclose(curve.fpr, [0, 0, 0.2, 0.4, 0.6, 0.6, 0.8, 1])
    assert roc.auc(MEMBERS, NONMEMBERS) == (5 + 3.5 + 3.5 + 2) / 20
    assert roc.advantage(MEMBERS, NONMEMBERS) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("fpr", "tpr"),
    [(0, 0.25), (0.2, 0.25), (0.39, 0.25), (0.4, 0.75), (0.59, 0.75), (0.6, 1.0), (1, 1.0)],
)
def test_tpr_by_the_step_rule(fpr, tpr):
    """At .2 one non-member may be above, but the next shares its score with two members: these do not count."""
    assert roc.tpr_at_fpr(MEMBERS, NONMEMBERS, fpr) == tpr
    curve = roc.roc_curve(MEMBERS, NONMEMBERS)
    assert curve.tpr[np.searchsorted(curve.fpr, fpr + 1e-12, "right") - 1] == tpr


def test_infinite_scores_have_places():
    members, nonmembers = np.array([np.inf, -np.inf]), np.array([0.0, -np.inf])
    assert roc.tpr_at_fpr(members, nonmembers, 0) == 0.5
    assert roc.tpr_at_fpr(members, nonmembers, 1) == 1
    assert roc.auc(members, nonmembers) == (2 + 0.5) / 4


def test_equal_to_scikit_learn_with_and_without_ties():
    rng = np.random.default_rng(0)
    for decimals in (1, 12):
        members, nonmembers = rng.normal(1, 1, 300).round(decimals), rng.normal(0, 1, 200).round(decimals)
        truth, scores = np.repeat([1, 0], [300, 200]), np.concatenate([members, nonmembers])
        fpr, tpr, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
        curve = roc.roc_curve(members, nonmembers)
        np.testing.assert_allclose((curve.fpr, curve.tpr), (fpr, tpr))
        assert roc.auc(members, nonmembers) == pytest.approx(metrics.roc_auc_score(truth, scores))


def test_scores_that_say_nothing():
    """All tied: no threshold finds a member without all non-members, and the area is that of guessing."""
    assert roc.auc(np.ones(5), np.ones(3)) == 0.5
    assert roc.advantage(np.ones(5), np.ones(3)) == 0
    assert roc.tpr_at_fpr(np.ones(5), np.ones(3), 0.5) == 0


def test_no_order_of_the_records_changes_a_measure():
    rng = np.random.default_rng(1)
    members, nonmembers = rng.integers(0, 6, 200).astype(float), rng.integers(0, 5, 100).astype(float)
    shuffled = rng.permutation(members), rng.permutation(nonmembers)
    for function in (roc.auc, roc.advantage, lambda m, n: roc.tpr_at_fpr(m, n, 0.01)):
        assert function(members, nonmembers) == function(*shuffled)


def test_float32_probabilities_hide_what_margins_show():
    """Half of the members and of the others have a probability of exactly 1: no point of the curve lies between 0 and .46."""
    rng = np.random.default_rng(2)
    member_margins, margins = rng.normal(20, 6, 2000), rng.normal(17, 6, 2000)

    def probabilities(z):
        return (1 / (1 + np.exp(-z.astype(np.float32)))).astype(np.float32)

    saturated = np.mean(probabilities(margins) == 1)
    assert 0.3 < saturated < 0.7
    assert roc.tpr_at_fpr(probabilities(member_margins), probabilities(margins), 0.01) == 0
    assert roc.tpr_at_fpr(probabilities(member_margins), probabilities(margins), 0.99 * saturated) == 0
    assert roc.tpr_at_fpr(member_margins, margins, 0.01) > 0.015


@pytest.mark.parametrize(
    ("fpr", "n", "allowed"), [(0.29, 100, 29), (0.001, 1000, 1), (0.001, 999, 0), (0, 5, 0), (1, 5, 5)]
)
def test_false_positives_are_whole(fpr, n, allowed):
    assert roc.false_positives(fpr, n) == allowed


def test_precision_by_base_rates():
    assert roc.precision(0.1, 0.01, 0.5) == pytest.approx(10 / 11)
    assert roc.precision(0.1, 0.01, 0.01) == pytest.approx(0.001 / (0.001 + 0.0099))
    assert roc.precision(0.01, 0.01, 0.1) == pytest.approx(0.1)  # guessing
    assert roc.precision(0.0, 0.01, 0.1) == 0
    assert math.isnan(roc.precision(0.0, 0.0, 0.1))
    with pytest.raises(UserError, match="prior"):
        roc.precision(0.1, 0.01, 1.0)


@pytest.mark.parametrize(
    ("members", "nonmembers", "message"),
    [
        ([], [1.0], "scores .* of members"),
        ([1.0], [], "scores .* of nonmembers"),
        ([[1.0]], [1.0], "shape"),
        ([1.0, math.nan], [1.0], "1 of 2 are NaN"),
    ],
)
def test_scores_that_can_not_be_measured(members, nonmembers, message):
    with pytest.raises(UserError, match=message):
        roc.auc(np.array(members), np.array(nonmembers))


def test_an_fpr_outside_of_its_range():
    with pytest.raises(UserError, match="FPR"):
        roc.tpr_at_fpr(MEMBERS, NONMEMBERS, 1.1)
