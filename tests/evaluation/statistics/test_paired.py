import numpy as np
import pytest

from tfinv.evaluation.statistics.paired import bootstrap_medians, mcnemar, unpaired


def test_mcnemar_looks_at_the_pairs_that_differ():
    a, b = np.repeat([True, True, False, False], [50, 8, 2, 40]), np.repeat([True, False, True, False], [50, 8, 2, 40])
    difference = mcnemar(a, b)
    assert (difference.value, difference.n) == (-0.06, 100)
    # Two tails of ten fair coins with at most two heads.
    assert difference.p == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    low, high = difference.ci95
    assert low < -0.06 < high


def test_no_difference_is_no_evidence_and_has_an_interval():
    difference = mcnemar(np.ones(10, bool), np.ones(10, bool))
    assert (difference.value, difference.p) == (0.0, 1.0)
    assert difference.ci95[0] < 0 < difference.ci95[1]


def test_the_interval_covers_the_difference_in_95_of_100_cases():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        a = rng.random(80) < 0.7
        b = np.where(rng.random(80) < 0.3, rng.random(80) < 0.4, a)  # .3 * .4 + .7 * .7 = .61
        low, high = mcnemar(a, b).ci95
        covered += low <= 0.61 - 0.7 <= high
    assert covered >= 0.92 * 300


def test_medians_are_resampled_by_pairs():
    a = np.random.default_rng(0).random(200)
    difference = bootstrap_medians(a, a + 0.01)
    # The pairs move together: the difference is the same in every resample.
    assert difference.value == pytest.approx(0.01)
    assert difference.ci95 == pytest.approx((0.01, 0.01))
    assert difference.p == pytest.approx(2 / 2001)
    assert bootstrap_medians(a, a).p == 1.0


def test_an_infinite_median_has_no_difference():
    assert bootstrap_medians(np.ones(5), np.full(5, np.inf)) is None


def test_unpaired_intervals_add_in_squares():
    difference = unpaired((0.5, (0.47, 0.54)), (0.6, (0.56, 0.63)))
    assert difference.value == pytest.approx(0.1)
    assert difference.ci95 == pytest.approx((0.1 - np.hypot(0.04, 0.04), 0.1 + np.hypot(0.03, 0.03)))
    assert unpaired((0.5, None), (0.6, (0.5, 0.7))).ci95 is None


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_few_pairs_of_one_sign_prove_nothing(n):
    difference = bootstrap_medians(np.full(n, 0.01), np.full(n, 0.02))
    assert (difference.ci95, difference.p) == (None, 2.0 ** (1 - n))
