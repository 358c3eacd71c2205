"""Bounds on epsilon beside mechanisms whose epsilon has a closed form: never exceeded more often than stated, and approached."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from tfinv.errors import UserError
from tfinv.evaluation.membership.epsilon import epsilon_bound, epsilon_of_counts, epsilon_of_rates


def randomised_response(rng, n, epsilon):
    """Scores of n members and n others: a bit that is right with probability e^epsilon / (1 + e^epsilon)."""
    q = 1 / (1 + math.exp(-epsilon))
    return (rng.random(n) < q).astype(float), (rng.random(n) < 1 - q).astype(float)


def gaussian_epsilon(mu, delta):
    """Epsilon of N(0, 1) and N(mu, 1) at a delta (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon):
        a, b = mu / 2, epsilon / mu
        return stats.norm.cdf(a - b) - math.exp(epsilon) * stats.norm.cdf(-a - b) - delta

    return optimize.brentq(excess, 0, 50)


def test_rates_by_hand():
    assert epsilon_of_rates(0.2, 0.1) == pytest.approx(math.log(2))
    assert epsilon_of_rates(0.9, 0.6) == pytest.approx(math.log(0.4 / 0.1))  # by the negatives
    assert epsilon_of_rates(0.2, 0.1, delta=0.05) == pytest.approx(math.log(1.5))
    assert epsilon_of_rates(0.1, 0.2) == 0
    assert epsilon_of_rates(0.1, 0.0) == math.inf
    assert epsilon_of_rates(0.0, 0.0) == epsilon_of_rates(1.0, 1.0) == 0


def test_counts_by_hand():
    """No false positive of 100 and all of 100: each bound is that of a rate of .025^(1/100)."""
    rate = 0.025 ** (1 / 100)
    assert epsilon_of_counts(100, 100, 0, 100) == pytest.approx(math.log(rate / (1 - rate)))
    assert epsilon_of_counts(0, 10, 10, 10) == 0
    assert epsilon_of_counts(10, 10, 10, 10) == 0


@pytest.mark.parametrize(
    ("threshold", "delta", "epsilon"),
    [(2.0, 0.0, 1.1629778203490657), (1.0, 1e-3, 0.8327818676847494), (2.5, 1e-5, 0.9894148387394606)],
)
def test_equal_to_jax_privacy(threshold, delta, epsilon):
    """Figures of CanaryScoreAuditor.epsilon_clopper_pearson of jax_privacy 2.0.0 on the same arrays."""
    rng = np.random.default_rng(0)
    members, nonmembers = rng.normal(1, 1, 1000), rng.normal(0, 1, 800)
    hits, alarms = int(np.sum(members >= threshold)), int(np.sum(nonmembers >= threshold))
    assert epsilon_of_counts(hits, 1000, alarms, 800, delta=delta) == pytest.approx(epsilon, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_randomised_response_is_not_exceeded(epsilon):
    rng = np.random.default_rng(0)
    bounds = [epsilon_bound(*randomised_response(rng, 1000, epsilon), level=0.8, seed=i).epsilon for i in range(600)]
    assert np.mean(np.array(bounds) > epsilon) < 0.2
    if epsilon:
        assert np.median(bounds) > 0.7 * epsilon


@pytest.mark.parametrize(("epsilon", "near"), [(0.5, 0.94), (2.0, 0.96), (4.0, 0.9)])
def test_randomised_response_is_approached(epsilon, near):
    bound = epsilon_bound(*randomised_response(np.random.default_rng(1), 200_000, epsilon))
    assert near * epsilon < bound.epsilon < epsilon
    assert (bound.threshold, bound.members, bound.nonmembers) == (1.0, 100_000, 100_000)


def test_choosing_the_threshold_on_the_same_scores_exceeds():
    """Of scores that say nothing the best threshold of all looks like a leak: that is why the scores are split."""
    rng = np.random.default_rng(0)
    split = same = 0
    for i in range(300):
        members, nonmembers = rng.normal(size=(2, 200))
        split += epsilon_bound(members, nonmembers, level=0.6, seed=i).epsilon > 0
        # Clopper and Pearson's bounds, at 20 % each, of every threshold.
        hits, alarms = (np.sum(s >= nonmembers[:, None], axis=1) for s in (members, nonmembers))
        tpr = stats.beta.ppf(0.2, np.maximum(hits, 1e-9), 201 - hits)
        fpr = stats.beta.isf(0.2, alarms + 1, np.maximum(200 - alarms, 1e-9))
        same += bool(np.any(tpr > fpr))
    assert split / 300 < 0.4 < 0.5 < same / 300


@pytest.mark.proof
def test_gaussian_mechanism_with_its_delta():
    """Stated at its own delta it is not exceeded; at delta 0, which it has not, no epsilon holds."""
    mu, delta = 2.0, 0.05
    truth = gaussian_epsilon(mu, delta)
    rng = np.random.default_rng(0)
    bounds = [
        epsilon_bound(rng.normal(mu, 1, 2000), rng.normal(0, 1, 2000), delta=delta, seed=i).epsilon for i in range(200)
    ]
    assert np.mean(np.array(bounds) > truth) < 0.05
    assert np.median(bounds) > 0.55 * truth
    large = rng.normal(mu, 1, 300_000), rng.normal(0, 1, 300_000)
    assert 0.93 * truth < epsilon_bound(*large, delta=delta).epsilon < truth
    assert epsilon_bound(*large).epsilon > truth


@pytest.mark.parametrize(
    "call",
    [
        lambda: epsilon_of_counts(3, 2, 0, 2),
        lambda: epsilon_of_counts(0, 0, 0, 2),
        lambda: epsilon_of_counts(1, 2, 0, 2, delta=1.0),
        lambda: epsilon_bound(np.zeros(1), np.zeros(5)),
        lambda: epsilon_bound(np.zeros(5), np.zeros(5), level=1.0),
    ],
)
def test_refused(call):
    with pytest.raises(UserError, match="Expected"):
        call()
