"""Records at risk, their stability over targets, and groups: by hand, and with a truth."""

import numpy as np
import pytest
from scipy import stats

from tfinv.errors import UserError
from tfinv.evaluation.membership.intervals import rate_high, rate_low
from tfinv.evaluation.membership.risk import by_group, record_risk, stability

# Four records, three targets. At an FPR of 0 a member is called if it is above every non-member of its target.
SCORES = np.array([[9.0, 9, 1], [5, 1, 5], [4, 4, 4], [1, 5, 2]])
MEMBERS = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 0]], bool)


def test_risk_by_hand():
    risk = record_risk(SCORES, MEMBERS, fpr=0)
    np.testing.assert_array_equal(risk.targets, [2, 2, 2, 0])
    np.testing.assert_allclose(risk.rate, [1, 1, 0.5, np.nan])
    np.testing.assert_allclose(risk.false_alarms, [0, 0, 0, 0])
    np.testing.assert_allclose(risk.place, [1, 1, (0.5 + 1) / 2, np.nan])
    np.testing.assert_array_equal(risk.records, [0, 1, 2, 3])
    np.testing.assert_allclose(risk.low[:2], 0.025**0.5)
    np.testing.assert_allclose(risk.high[:2], 1)
    assert (risk.low[3], risk.high[3]) == (0, 1)


def test_a_single_target_orders_by_place():
    rng = np.random.default_rng(0)
    scores, members = rng.normal(size=(200, 1)), np.arange(200)[:, None] < 100
    risk = record_risk(scores, members, 0.01)
    ranked = scores[risk.records[:100], 0]
    assert set(risk.records[:100]) == set(range(100))
    assert (np.diff(risk.rate[:100]) <= 0).all()
    assert (np.diff(risk.place[:100]) <= 0).all()
    assert ranked[0] >= np.sort(scores[:100, 0])[-2]


def test_bounds_of_all_records_at_once_are_those_of_each():
    rng = np.random.default_rng(0)
    scores, members = rng.normal(size=(2000, 12)), rng.random((2000, 12)) < 0.3
    risk = record_risk(scores + 2 * members, members, 0.05)
    for k in range(0, 2000, 7):
        n = int(risk.targets[k])
        hits = round(risk.rate[k] * n) if n else 0
        bounds = rate_low(hits, n, 0.025), rate_high(hits, n, 0.025)
        assert (risk.low[k], risk.high[k]) == pytest.approx(bounds, rel=1e-12)
        assert bounds[0] == pytest.approx(stats.beta.ppf(0.025, hits, n - hits + 1) if hits else 0, rel=1e-12)


def test_the_first_records_are_of_members_alone():
    risk = record_risk(SCORES, MEMBERS, fpr=0)
    np.testing.assert_array_equal(risk.first(9).records, [0, 1, 2])
    np.testing.assert_array_equal(risk.first(2).place, [1, 1])
    assert risk.first(2).fpr == 0


def effects(rng, n, targets, share):
    """Scores of records of their own risk, which has `share` of the variance, under targets with random halves as members."""
    record = rng.normal(size=(n, 1))
    scores = np.sqrt(share) * record + np.sqrt(1 - share) * rng.normal(size=(n, targets))
    return scores, rng.random((n, targets)) < 0.5


def test_stable_and_unstable_risk():
    rng = np.random.default_rng(0)
    same = np.repeat(rng.normal(size=(400, 1)), 5, axis=1)
    members = rng.random((400, 5)) < 0.5
    stable = stability(same, members)
    assert (stable.correlation, stable.overlap, stable.pairs, stable.targets) == (1, 1, 10, 5)
    assert stable.correlation_ci95 == (1, 1)
    chance = stability(rng.normal(size=(2000, 8)), rng.random((2000, 8)) < 0.5)
    assert chance.correlation_ci95[0] < 0 < chance.correlation_ci95[1]
    assert chance.overlap == pytest.approx(chance.chance, abs=0.03)
    assert chance.chance == pytest.approx(0.05, abs=0.002)


def test_correlation_has_its_closed_form_and_is_covered():
    """Spearman's of two normal scores that share half of their variance is 6 / pi asin(.25)."""
    rng = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.5 / 2)
    results = [stability(*effects(rng, 400, 6, 0.5)) for _ in range(100)]
    assert np.mean([r.correlation for r in results]) == pytest.approx(truth, abs=0.02)
    # Of other targets on these records: their own truth is the mean over many targets.
    record = rng.normal(size=(400, 1))

    def noise(targets):
        return record + rng.normal(size=(400, targets))

    everyone = np.ones((401, 6), bool)
    everyone[400] = False
    bottom = np.full((1, 6), -9.0)
    of_these = np.mean([stats.spearmanr(*noise(2).T).statistic for _ in range(400)])
    bounds = [stability(np.concatenate([noise(6), bottom]), everyone).correlation_ci95 for _ in range(150)]
    assert np.mean([low < of_these < high for low, high in bounds]) > 0.9


def test_targets_without_common_members_are_not_compared():
    rng = np.random.default_rng(0)
    half = rng.random(100) < 0.5
    pair = np.stack([half, ~half], axis=1)
    assert stability(rng.normal(size=(100, 2)), pair) is None
    two = stability(rng.normal(size=(100, 2)), rng.random((100, 2)) < 0.5)
    assert two.correlation_ci95 is None
    assert two.pairs == 1
    tied = stability(np.ones((100, 2)), rng.random((100, 2)) < 0.5)
    assert tied.correlation == 0


def test_groups_by_hand():
    members, nonmembers = np.array([9.0, 6, 2, 1]), np.array([5.0, 0, 8, 7])
    rows = by_group(members, nonmembers, ["a", "a", "b", "c"], ["a", "a", "b", "d"], seed=1, fpr=0.25)
    assert [(r["group"], r["measure"], r.get("threshold"), r["value"]) for r in rows] == [
        ("a", "auc", None, 1.0),
        ("a", "tpr@25%", "group", 1.0),
        ("a", "tpr@25%", "curve", 0.5),  # above 7, as one of all four non-members is
        ("b", "auc", None, 0.0),
        ("b", "tpr@25%", "group", 0.0),
        ("b", "tpr@25%", "curve", 0.0),
    ]
    assert {r["comparisons"] for r in rows} == {2}
    assert all(r["ci95"][0] <= r["value"] <= r["ci95"][1] for r in rows)


@pytest.mark.parametrize(
    "call",
    [
        lambda: record_risk(SCORES[0], MEMBERS[0]),
        lambda: record_risk(SCORES, MEMBERS[:3]),
        lambda: record_risk(SCORES * np.nan, MEMBERS),
        lambda: record_risk(SCORES, np.ones((4, 3), bool)),
        lambda: stability(SCORES, MEMBERS, top=1.0),
        lambda: by_group(SCORES[:, 0], SCORES[:, 1], [1, 2], [1, 2, 3, 4], seed=0),
    ],
)
def test_refused(call):
    with pytest.raises(UserError, match="Expected"):
        call()
