"""Intervals by hand, and their coverage in simulations, also of the interval that does not cover."""

import numpy as np
import pytest
from scipy import stats

from tfinv.evaluation.membership import intervals, roc
from tfinv.evaluation.membership.checks import enough_nonmembers
from tfinv.evaluation.statistics.intervals import rate_interval

# Members N(SHIFT, 1), others N(0, 1): a TPR of 5.1 % at an FPR of .1 %.
SHIFT = stats.norm.isf(0.001) - stats.norm.isf(0.051)


def true_tpr(fpr, shift=SHIFT):
    return stats.norm.sf(stats.norm.isf(fpr) - shift)


def coverage(interval, truth, draw, trials, seed=0):
    """Share of the samples whose interval has the truth."""
    rng = np.random.default_rng(seed)
    bounds = np.array([interval(*draw(rng)) for _ in range(trials)])
    return np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1]))


def normal(m, n, shift=SHIFT, deviation=1.0, decimals=12):
    return lambda rng: (rng.normal(shift, deviation, m).round(decimals), rng.normal(0, 1, n).round(decimals))


def bounds_of(estimate):
    return estimate.low, estimate.high


def test_delong_by_hand():
    """Placements of the members .5, 1 and of the others 1, 1, 1, 0: variances .125 / 2 and .25 / 4."""
    members, nonmembers = np.array([2.5, 9]), np.array([1.0, 2, 2, 4])
    value, variance = intervals.delong(members, nonmembers)
    # 2.5 is above three of four, 9 above four.
    assert value == (0.75 + 1) / 2
    assert variance == pytest.approx(np.var([0.75, 1], ddof=1) / 2 + np.var([1, 1, 1, 0.5], ddof=1) / 4)


def test_delong_is_the_definition_with_ties():
    rng = np.random.default_rng(0)
    members, nonmembers = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 30).astype(float)
    wins = (members[:, None] > nonmembers) + 0.5 * (members[:, None] == nonmembers)
    variance = wins.mean(1).var(ddof=1) / 40 + wins.mean(0).var(ddof=1) / 30
    assert intervals.delong(members, nonmembers) == pytest.approx((wins.mean(), variance))


@pytest.mark.parametrize(
    ("m", "n", "shift", "decimals"),
    [(200, 200, 0.0, 12), (200, 100, 0.5, 12), (60, 60, 2.0, 12), (200, 200, 0.5, 0), (1000, 1000, SHIFT, 12)],
)
def test_auc_is_covered(m, n, shift, decimals):
    if decimals:
        truth = stats.norm.cdf(shift / np.sqrt(2))
    else:  # rounded to whole numbers
        edges = np.arange(-9.5, 10)
        shares = np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges - shift))
        truth = np.sum(shares[1] * (np.cumsum(shares[0]) - shares[0] / 2))
    share = coverage(
        lambda a, b: bounds_of(intervals.auc_interval(a, b)), truth, normal(m, n, shift, decimals=decimals), 1500
    )
    assert 0.935 < share < 0.97


def test_auc_at_its_ends():
    """Perfect separation, one score for all, and single records have an interval that is no point."""
    perfect = intervals.auc_interval(np.arange(50) + 100.0, np.arange(50.0))
    assert (perfect.value, perfect.high, perfect.method) == (1, 1, intervals.SCORE)
    assert 0.9 < perfect.low < 0.98
    tied = intervals.auc_interval(np.ones(50), np.ones(50))
    assert tied.low < 0.45 < tied.value < 0.55 < tied.high
    single = intervals.auc_interval(np.array([1.0]), np.array([0.0]))
    assert single.low < 0.5


@pytest.mark.parametrize(("shift", "deviation"), [(0.0, 1.0), (0.5, 1.0), (SHIFT, 1.0), (0.0, 2.0)])
def test_advantage_is_covered(shift, deviation):
    grid = np.linspace(-9, 12, 20_001)
    truth = np.max(stats.norm.sf(grid, shift, deviation) - stats.norm.sf(grid))
    share = coverage(
        lambda a, b: bounds_of(intervals.advantage_interval(a, b)), truth, normal(300, 300, shift, deviation), 800
    )
    assert share > 0.935


def test_bootstrap_is_the_limit_of_resampling():
    rng = np.random.default_rng(0)
    members, nonmembers = normal(300, 400, decimals=1)(rng)  # with ties
    resampled = [roc.tpr_at_fpr(rng.choice(members, 300), rng.choice(nonmembers, 400), 0.05) for _ in range(4000)]
    assert intervals.bootstrap(members, nonmembers, 0.05) == pytest.approx(
        np.quantile(resampled, [0.025, 0.975], method="inverted_cdf"), abs=0.011
    )


def test_order_statistics_by_hand():
    """Of 500 non-members at 1 %: one at least is at or above the threshold, 11 at most are above it."""
    members, nonmembers = np.arange(600.0) + 0.5, np.arange(500.0)
    assert stats.binom.cdf(0, 500, 0.01) < 0.0125 < stats.binom.cdf(1, 500, 0.01)
    assert stats.binom.sf(11, 500, 0.01) < 0.0125 < stats.binom.sf(10, 500, 0.01)
    low, high = intervals.order_statistics(members, nonmembers, 0.01)
    assert low == pytest.approx(stats.binomtest(101, 600).proportion_ci(0.975, "exact").low)  # above 499
    assert high == pytest.approx(stats.binomtest(112, 600).proportion_ci(0.975, "exact").high)  # above 488


def test_few_nonmembers_bound_nothing_from_below():
    assert [intervals.fewest_nonmembers(fpr) for fpr in (0.01, 0.001, 0)] == [437, 4380, None]
    rng = np.random.default_rng(0)
    for n, bounded in ((436, False), (437, True)):
        low, high = intervals.order_statistics(np.full(500, 9.0), rng.normal(size=n), 0.01)
        assert (low > 0) is bounded
        assert high == 1


def test_few_nonmembers_read_too_high_and_the_usual_interval_does_not_cover():
    """The TPR at .1 % by the step rule: of 50 non-members it is four times the true one, of 1,000 it is still too high."""
    rng = np.random.default_rng(0)
    readings = {
        n: np.mean([roc.tpr_at_fpr(*normal(1000, n)(rng), 0.001) for _ in range(400)]) for n in (50, 200, 1000, 20_000)
    }
    truth = true_tpr(0.001)
    assert truth == pytest.approx(0.051)
    assert readings[50] > 4 * truth
    assert readings[50] > readings[200] > readings[1000] > 1.15 * truth
    assert readings[20_000] == pytest.approx(truth, rel=0.05)
    assert [enough_nonmembers(n, 0.001).passed for n in readings] == [False, False, False, True]


def at_the_threshold(members, nonmembers, fpr):
    """Wilson's interval of the rate, as if its threshold were no random one."""
    hits = int(np.sum(members > roc.threshold_at(nonmembers, fpr)))
    return rate_interval(hits, len(members))


@pytest.mark.parametrize(
    ("fpr", "interval", "low", "high"),
    [
        (0.01, at_the_threshold, 0.3, 0.65),
        (0.001, at_the_threshold, 0.15, 0.45),
        (0.01, intervals.bootstrap, 0.93, 0.98),
        (0.001, intervals.bootstrap, 0.6, 0.88),
        (0.01, intervals.order_statistics, 0.97, 1.0),
        (0.001, intervals.order_statistics, 0.98, 1.0),
    ],
)
def test_coverage_of_the_tpr(fpr, interval, low, high):
    """1,000 members and 1,000 non-members, 600 times, nominally 95 %."""
    share = coverage(lambda a, b: interval(a, b, fpr), true_tpr(fpr), normal(1000, 1000), 600)
    assert low <= share <= high


@pytest.mark.parametrize(
    ("n", "fpr", "method"),
    [
        (1000, 0.01, "bootstrap"),
        (999, 0.01, "order statistics"),
        (5000, 0.001, "order statistics"),
        (300, 0.01, "order statistics"),
    ],
)
def test_the_interval_that_is_chosen_covers(n, fpr, method):
    assert intervals.tpr_interval(*normal(500, n)(np.random.default_rng(0)), fpr).method == method
    share = coverage(lambda a, b: bounds_of(intervals.tpr_interval(a, b, fpr)), true_tpr(fpr), normal(500, n), 400)
    assert share > 0.925


def test_tpr_at_no_false_positive_is_of_this_threshold():
    rng = np.random.default_rng(0)
    members, nonmembers = normal(400, 200)(rng)
    estimate = intervals.tpr_interval(members, nonmembers, 0)
    hits = int(np.sum(members > nonmembers.max()))
    exact = stats.binomtest(hits, 400).proportion_ci(0.95, "exact")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((hits / 400, exact.low, exact.high))
    assert intervals.zero_fpr_bound(1000) == pytest.approx(0.003, rel=0.01)  # the rule of three
    # The FPR of the highest of n is above that bound one time in twenty.
    rates = stats.norm.sf(rng.normal(size=(4000, 100)).max(1))
    assert np.mean(rates > intervals.zero_fpr_bound(100)) == pytest.approx(0.05, abs=0.015)


def test_all_may_be_called_members():
    assert intervals.tpr_interval(np.zeros(3), np.zeros(2), 1.0).value == 1
    ten = intervals.tpr_interval(np.arange(10) + 5.0, np.arange(10.0), 0.01)
    assert (ten.low, ten.value, ten.high) == (0.0, 0.5, pytest.approx(1.0, abs=0.2))


@pytest.mark.parametrize(("shift", "value"), [(-20.0, 0.0), (20.0, 1.0)])
def test_a_rate_of_0_or_1_has_an_interval(shift, value):
    """No resample has another rate, and yet the truth may be another."""
    rng = np.random.default_rng(0)
    members, nonmembers = rng.normal(shift, 1, 500), rng.normal(size=2000)
    estimate = intervals.tpr_interval(members, nonmembers, 0.01)
    assert intervals.bootstrap(members, nonmembers, 0.01) == (value, value)
    ends = intervals.rate_low(round(500 * value), 500, 0.025), intervals.rate_high(round(500 * value), 500, 0.025)
    assert estimate.value == value
    assert (estimate.low, estimate.high) == pytest.approx(ends)
