"""Intervals over seeds, classes and samples, by hand and by simulation; differences pair by pair."""

import numpy as np
import pytest
from scipy import stats

from tfinv.errors import UserError
from tfinv.evaluation.intervals import mean_interval
from tfinv.evaluation.measurement import Measurement, Values
from tfinv.evaluation.pooling import differences, estimate, pool


def made(values, labels, *, experiment="e", seed=0, measure="pixel_distance", extra=None, **keys):
    common = {"experiment": experiment, "method": "m", "budget": "equal", "seed": seed} | keys
    return Measurement(common, (Values(measure, np.asarray(values), np.asarray(labels), None, extra or {}),))


def seeds_of(table, samples=1, **keys):
    """One measurement a row of a (seeds, classes) or (seeds, classes, samples) table."""
    table = np.asarray(table)
    table = table if table.ndim == 3 else np.repeat(table[:, :, None], samples, axis=2)
    labels = np.repeat(np.arange(table.shape[1]), table.shape[2])
    return [made(t.ravel(), labels, seed=s, **keys) for s, t in enumerate(table)]


def groups(measurements):
    return [m.values[0] for m in measurements]


def test_one_class_of_one_seed_is_the_simple_interval():
    values = np.array([1.0, 2, 4])
    assert estimate([Values("x", values, [0, 0, 0])]).interval() == pytest.approx(mean_interval(values))
    assert estimate([Values("x", [1.0], [0])]).interval() is None


def test_one_seed_counts_classes_and_several_seeds_of_one_class_seeds():
    by_class = [1.0, 2, 4]
    found = estimate(groups(seeds_of([by_class], samples=50)))
    assert found.interval() == pytest.approx(mean_interval(np.array(by_class)))
    assert (found.n, found.cells) == (150, 3)
    assert estimate(groups(seeds_of([[v] for v in by_class]))).interval() == pytest.approx(found.interval())


def test_variance_of_a_table_by_hand():
    """Seeds differ by 6, classes do not, and the residuals are +-1: V_seed = 18 / 2, V_class = 0, E = 4 / 1 / 4."""
    found = estimate(groups(seeds_of([[1, -1], [5, 7]])))
    assert found.value == 3
    assert found.error == pytest.approx(3)
    assert found.degrees == 1  # not 81 / (81 + 1)
    # Both differ, and the residuals are zero: 9 + 4.
    both = estimate(groups(seeds_of([[1, 5], [7, 11]])))
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
        low, high = estimate(groups(seeds_of(table))).interval()
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
    p = np.array([estimate(groups(seeds_of(t))).p_value() for t in tables])
    assert np.mean(p <= 0.01) <= 0.03
    assert np.mean(p <= 0.001) <= 0.015


def test_pool():
    members = seeds_of([[1.0, 2], [2, 3], [3, 4]], knowledge="white box")
    other = made([1.0, 2], [0, 1], experiment="alone")
    (row,) = pool([*members, other])
    assert row["seed"] == [0, 1, 2]
    assert row["n"] == 6
    assert row["value"] == 2.5
    assert row["better"] == "lower"
    assert (row["kind"], row["experiment"], row["knowledge"]) == ("inversion", "e", "white box")
    low, high = row["ci95"]
    assert low + high == pytest.approx(5)
    with pytest.raises(UserError, match="each seed once"):
        pool([members[0], members[0]])
    with pytest.raises(UserError, match="same classes"):
        pool([other, made([1.0, 2], [0, 5], seed=1, experiment="alone")])


def test_pool_leaves_out_sets_of_different_size():
    sizes = [made([1.0], [-1], seed=s, measure="fid", extra={"n": n, "n_real": 9}) for s, n in enumerate((8, 8, 7))]
    assert pool(sizes) == []
    (row,) = pool(sizes[:2])
    assert (row["n_real"], row["value"]) == (9, 1.0)


def paired_only():
    """Classes from 0 to 9, and a defence that adds .2 to each with a little noise."""
    rng = np.random.default_rng(0)
    base = np.repeat(np.arange(10.0)[None], 3, 0)
    noise = 0.05 * rng.standard_normal((2, 3, 10))
    ours = seeds_of(base + 0.2 + noise[0], experiment="defended")
    return ours, seeds_of(base + noise[1], experiment="base")


def test_pairs_show_what_averages_hide():
    ours, theirs = paired_only()
    one, two = (estimate(groups(side)) for side in (ours, theirs))
    assert abs(one.value - two.value) < 0.2 * np.hypot(one.error, two.error)
    (found,) = differences([*ours, *theirs], "defended", "base")
    assert found.estimate.value == pytest.approx(0.2, abs=0.03)
    assert found.estimate.value == pytest.approx(one.value - two.value)
    assert found.estimate.p_value() < 0.05
    assert found.row()["better"] == "lower"
    (reversed_,) = differences([*ours, *theirs], "base", "defended")
    assert reversed_.estimate.value == pytest.approx(-found.estimate.value)
    assert reversed_.estimate.error == pytest.approx(found.estimate.error)


def test_pairs_agree_in_class_and_place():
    ours = made([10.0, 20, 30, 40], [1, 0, 1, 0], experiment="a")
    theirs = made([1.0, 2, 3], [0, 1, 1], experiment="b")
    (found,) = differences([ours, theirs], "a", "b")
    # Class 0: 20 - 1 (40 has no partner); class 1: 10 - 2 and 30 - 3. The mean of the classes' means.
    assert found.estimate.n == 3
    assert found.estimate.value == pytest.approx((19 + (8 + 27) / 2) / 2)
    assert differences([ours, theirs], "a", "absent") == []
    assert differences([ours, made([1.0], [0], experiment="b", seed=1)], "a", "b") == []
    assert differences([ours, made([1.0], [0], experiment="b", budget="convergence")], "a", "b") == []


def test_sets_are_compared_at_one_size_only():
    def fid(experiment, n):
        return made([1.0], [-1], experiment=experiment, measure="fid", extra={"n": n, "n_real": n})

    assert differences([fid("a", 8), fid("b", 9)], "a", "b") == []
    (found,) = differences([fid("a", 8), fid("b", 8)], "a", "b")
    assert found.estimate.interval() is None
    assert found.estimate.p_value() > 0.01


def test_differences_that_all_agree_are_judged_by_their_number():
    def all_lost(classes):
        sides = [
            made(np.full(classes, hit), np.arange(classes), experiment=e) for e, hit in (("a", False), ("b", True))
        ]
        return differences(sides, "a", "b")[0].estimate

    assert all_lost(8).value == -1
    assert all_lost(8).p_value() < 0.01
    assert all_lost(7).p_value() > 0.01


def test_a_measurement_survives_json():
    import json

    before = Measurement(
        {"experiment": "e", "seed": 1},
        (
            Values("acc@1", np.array([True, False]), np.array([0, 1]), "mlp-1"),
            Values("fid", np.array([0.25]), np.array([-1]), "mlp-1", {"n": 4, "n_real": 4}),
        ),
    )
    after = Measurement.from_json(json.loads(json.dumps(before.to_json())))
    assert after.rows() == before.rows()
    assert after.find("acc@1", "mlp-1").is_rate
    assert [r["n"] for r in after.rows()] == [2, 4]
    with pytest.raises(UserError, match="one of the measures"):
        after.find("acc@1")
