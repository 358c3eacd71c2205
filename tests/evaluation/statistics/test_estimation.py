"""Intervals and p-values over seeds, classes and samples, by hand and by simulation."""

import numpy as np
import pytest
from scipy import stats

from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.intervals import mean_interval
from tfinv.evaluation.statistics.measurement import Values


def estimate_table(table, samples=1):
    """The estimate of a (seeds, classes) or (seeds, classes, samples) table."""
    table = np.asarray(table)
    table = table if table.ndim == 3 else np.repeat(table[:, :, None], samples, axis=2)
    labels = np.repeat(np.arange(table.shape[1]), table.shape[2])
    return estimate([Values("pixel_distance", seed.ravel(), labels) for seed in table])


def test_one_class_of_one_seed_is_the_simple_interval():
    values = np.array([1.0, 2, 4])
    assert estimate([Values("x", values, [0, 0, 0])]).interval() == pytest.approx(mean_interval(values))
    assert estimate([Values("x", [1.0], [0])]).interval() is None


def test_one_seed_counts_classes_and_several_seeds_of_one_class_seeds():
    by_class = [1.0, 2, 4]
    mean = estimate_table([by_class], samples=50)
    assert mean.interval() == pytest.approx(mean_interval(np.array(by_class)))
    assert (mean.n, mean.cells) == (150, 3)
    assert estimate_table([[v] for v in by_class]).interval() == pytest.approx(mean.interval())


def test_variance_of_a_table_by_hand():
    """Seeds differ by 6, classes do not, and the residuals are +-1: V_seed = 18 / 2, V_class = 0, E = 4 / 1 / 4."""
    mean = estimate_table([[1, -1], [5, 7]])
    assert mean.value == 3
    assert mean.error == pytest.approx(3)
    assert mean.degrees == 1  # not 81 / (81 + 1)
    # Both differ, and the residuals are zero: 9 + 4.
    both = estimate_table([[1, 5], [7, 11]])
    assert both.error == pytest.approx(np.sqrt(13))
    assert both.degrees == pytest.approx(169 / (81 + 16))


def test_a_rate_stays_in_its_range():
    certain = estimate([Values("acc@1", np.ones(40, bool), np.repeat(np.arange(10), 4))])
    low, high = certain.interval()
    assert high == 1
    t = stats.t.ppf(0.975, 9)
    assert low == pytest.approx(10 / (10 + t**2))  # Wilson's lower bound of 10 out of 10
    # Classes that are wholly right or wholly wrong: ten values, though there are forty.
    torn = estimate([Values("acc@1", np.repeat(np.arange(10) < 5, 4), np.repeat(np.arange(10), 4))])
    assert torn.interval()[0] < 0.2


@pytest.mark.parametrize(
    ("seeds", "classes", "samples"),
    [(0.0, 0.0, 1.0), (1.0, 0.0, 0.1), (0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.3, 0.3, 1.0)],
)
def test_coverage_of_clustered_data(seeds, classes, samples):
    """500 experiments of 3 seeds, 10 classes and 2 samples; the 95 % interval that ignores clusters is shown to fail."""
    rng = np.random.default_rng(0)
    covered = naive = 0
    for _ in range(500):
        table = (
            seeds * rng.standard_normal((3, 1, 1))
            + classes * rng.standard_normal((1, 10, 1))
            + samples * rng.standard_normal((3, 10, 2))
        )
        low, high = estimate_table(table).interval()
        covered += low < 0 < high
        low, high = mean_interval(table.ravel())
        naive += low < 0 < high
    assert covered / 500 > 0.92
    if seeds == 1 or classes == 1:
        assert naive / 500 < 0.8


@pytest.mark.parametrize(("seeds", "classes"), [(0.0, 10), (0.4, 10), (1.0, 10), (0.4, 40)])
def test_p_values_hold_in_their_tail(seeds, classes):
    """Nothing to find, 3 seeds: of 2,000 p-values no more fall below a level than the level says, or a little more."""
    rng = np.random.default_rng(0)
    tables = seeds * rng.standard_normal((2000, 3, 1)) + rng.standard_normal((2000, 3, classes))
    p = np.array([estimate_table(t).p_value() for t in tables])
    assert np.mean(p <= 0.01) <= 0.03
    assert np.mean(p <= 0.001) <= 0.015
