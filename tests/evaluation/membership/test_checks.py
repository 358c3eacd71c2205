"""Each check of scores, logits and counts: a case that must fail, and one that must pass."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.evaluation.membership import checks


@pytest.mark.parametrize(
    ("n", "fpr", "passed"),
    [
        (437, 0.01, True),
        (436, 0.01, False),
        (4380, 0.001, True),
        (1000, 0.001, False),
        (10, 0.01, False),
        (10**6, 0.0, None),
    ],
)
def test_enough_nonmembers(n, fpr, passed):
    check = checks.enough_nonmembers(n, fpr)
    assert check.heading == "enough-nonmembers"
    assert check.passed is passed
    assert f"{n:,} non-members" in check.evidence


def test_enough_nonmembers_names_the_rate():
    check = checks.enough_nonmembers(1000, 0.001)
    assert check.name == "enough-nonmembers (0.1%)"
    assert check.evidence == "1,000 non-members, 1 of whom may be above the threshold; needed are 4,380"


def test_scores_not_tied():
    rng = np.random.default_rng(0)
    members, nonmembers = rng.normal(20, 6, 2000), rng.normal(17, 6, 2000)
    check = checks.scores_not_tied(members, nonmembers)
    assert (check.name, check.passed) == ("scores-not-tied", True)
    assert "0.00 % of all scores are tied, 4,000 distinct" in check.evidence
    probabilities = [(1 / (1 + np.exp(-z.astype(np.float32)))).astype(np.float32) for z in (members, nonmembers)]
    saturated = checks.scores_not_tied(*probabilities)
    assert saturated.passed is False
    assert "have the score of the threshold at 1%" in saturated.evidence
    # Rounded to two decimals, or right and wrong alone.
    assert checks.scores_not_tied(*(p.round(2) for p in probabilities)).passed is False
    assert checks.scores_not_tied(*(rng.random(500) < share for share in (0.9, 0.5))).passed is False
    # Ties far below the threshold hide nothing.
    assert checks.scores_not_tied(*(np.maximum(z, 15) for z in (members, nonmembers))).passed is True


def logits(seed, n=200, classes=10):
    return np.random.default_rng(seed).normal(0, 3, (n, classes)).astype(np.float32)


def test_target_is_no_shadow():
    target = logits(0)
    # Trained alike, and yet another model: a third of the variance is its own.
    shadows = [target + 0.7 * logits(seed) for seed in range(1, 5)]
    check = checks.target_is_no_shadow(target, iter(shadows))
    assert (check.name, check.passed) == ("target-is-no-shadow", True)
    assert "the nearest of 4 shadows" in check.evidence
    for copy in (target.copy(), target.astype(np.float16), target - target.max(1, keepdims=True)):
        among = checks.target_is_no_shadow(target, [*shadows, copy])
        assert among.passed is False
        assert "number 4" in among.evidence
    assert checks.target_is_no_shadow(target, []).passed is None
    assert checks.target_is_no_shadow(None, shadows).passed is None
    with pytest.raises(UserError, match="same records"):
        checks.target_is_no_shadow(target, [target[:5]])


@pytest.mark.parametrize(
    ("target", "shadows", "passed"),
    [
        ((400, 1000), [(400, 1000), (385, 1000), (430, 1000)], True),
        ((400, 1000), [(370, 1000)] * 3, True),  # 7 % below, and within chance
        ((400, 1000), [(400, 1000), (100, 1000)], False),  # did not learn
        ((9360, 10_000), [(8700, 10_000)] * 4, False),
        ((9360, 10_000), [(9200, 10_000)] * 4, True),  # beyond chance, and within 5 %
        ((40, 100), [], None),
    ],
)
def test_shadows_reach_the_target(target, shadows, passed):
    check = checks.shadows_reach_the_target(target, shadows)
    assert (check.name, check.passed) == ("shadows-reach-the-target", passed)


def test_shadows_that_fall_short_are_named():
    check = checks.shadows_reach_the_target((400, 1000), [(400, 1000), (100, 1000)])
    assert check.evidence.endswith("below 95.00 % of the target's: number 1 with 10.00 %")
    many = checks.shadows_reach_the_target((400, 1000), [(100, 1000)] * 6)
    assert many.evidence.endswith("and 3 others")


def exchangeable(seed, targets, n=1000):
    rng = np.random.default_rng(seed)
    return [tuple(rng.normal(size=(2, n))) for _ in range(targets)]


def leaking(seed, targets, tpr, n=1000):
    """Scores of null targets with a TPR at 1 % that should be 1 %: some members are lifted above all others."""
    rng, scores = np.random.default_rng(seed), exchangeable(seed, targets, n)
    for members, _ in scores:
        members[rng.permutation(n)[: round((tpr - 0.01) * n)]] += 4
    return scores


def test_null_target_at_chance():
    check = checks.null_target_at_chance(exchangeable(0, 1))
    assert (check.name, check.passed) == ("null-target-at-chance", True)
    assert "TPR at 1%" in check.evidence
    assert "where guessing has 1.10 %" in check.evidence
    assert checks.null_target_at_chance([]).passed is None


@pytest.mark.parametrize(("targets", "tpr"), [(1, 0.071), (8, 0.033), (34, 0.020)])
def test_membership_that_leaks_by_counting_is_seen(targets, tpr):
    """Leave-one-out references of 4, 8 and 16 shadows read these TPRs at 1 % of null targets."""
    check = checks.null_target_at_chance(leaking(1, targets, tpr))
    assert check.passed is False


def test_members_of_another_distribution_are_seen_by_the_area():
    rng = np.random.default_rng(0)
    assert checks.null_target_at_chance([(rng.normal(0.25, 1, 1000), rng.normal(0, 1, 1000))]).passed is False
    assert checks.null_target_at_chance([(rng.normal(-0.25, 1, 1000), rng.normal(0, 1, 1000))]).passed is False


def test_a_null_target_rarely_fails_by_chance():
    """At 1 %, in 150 samples of one target and 50 of five; with ties, and of unequal sizes."""
    single = [checks.null_target_at_chance(exchangeable(seed, 1, 300)).passed for seed in range(150)]
    several = [checks.null_target_at_chance(exchangeable(seed, 5, 300)).passed for seed in range(50)]
    assert np.mean(single) > 0.97
    assert np.mean(several) > 0.95
    rng = np.random.default_rng(0)
    tied = [(rng.integers(0, 3, 400).astype(float), rng.integers(0, 3, 90).astype(float)) for _ in range(4)]
    assert checks.null_target_at_chance(tied).passed is True
    assert checks.null_target_at_chance([(np.ones(50), np.ones(50))] * 3).passed is True


def test_overfitted_twin_is_worse():
    rng = np.random.default_rng(0)
    model = rng.normal(0.3, 1, 1000), rng.normal(0, 1, 1000)
    twin = rng.normal(1.0, 1, 1000), rng.normal(0, 1, 1000)
    check = checks.overfitted_twin_is_worse(model, twin)
    assert (check.name, check.passed) == ("overfitted-twin-is-worse", True)
    assert "on its overfitted twin" in check.evidence
    assert checks.overfitted_twin_is_worse(twin, model).passed is False
    # An attack that sees nothing in either.
    blind = [(rng.normal(size=1000), rng.normal(size=1000)) for _ in range(2)]
    assert checks.overfitted_twin_is_worse(*blind).passed is False
    certain = rng.normal(9, 1, 100), rng.normal(0, 1, 100)
    assert checks.overfitted_twin_is_worse(certain, certain).passed is None
