"""Measurements pooled over seeds, and differences pair by pair."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.evaluation.statistics.estimation import estimate
from tfinv.evaluation.statistics.measurement import Measurement, Values
from tfinv.evaluation.statistics.pooling import differences, pool


def measurement(values, labels, *, experiment="e", seed=0, measure="pixel_distance", sizes=None, **keys):
    common = {"experiment": experiment, "method": "m", "budget": "equal", "seed": seed} | keys
    return Measurement(common, (Values(measure, np.asarray(values), np.asarray(labels), None, sizes or {}),))


def seeds_of(table, **keys):
    """One measurement for each row of a (seeds, classes) table."""
    return [measurement(values, np.arange(len(values)), seed=seed, **keys) for seed, values in enumerate(table)]


def groups(measurements):
    return [m.values[0] for m in measurements]


def test_pool():
    members = seeds_of([[1.0, 2], [2, 3], [3, 4]], knowledge="white box")
    other = measurement([1.0, 2], [0, 1], experiment="alone")
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
        pool([other, measurement([1.0, 2], [0, 5], seed=1, experiment="alone")])


def test_pool_leaves_out_sets_of_different_size():
    members = [
        measurement([1.0], [-1], seed=s, measure="fid", sizes={"n": n, "n_real": 9}) for s, n in enumerate((8, 8, 7))
    ]
    assert pool(members) == []
    (row,) = pool(members[:2])
    assert (row["n_real"], row["value"]) == (9, 1.0)


def paired_only():
    """Classes from 0 to 9, and a defence that adds .2 to each with a little noise."""
    rng = np.random.default_rng(0)
    base = np.repeat(np.arange(10.0)[None], 3, 0)
    noise = 0.05 * rng.standard_normal((2, 3, 10))
    defended = seeds_of(base + 0.2 + noise[0], experiment="defended")
    return defended, seeds_of(base + noise[1], experiment="base")


def test_pairs_show_what_averages_hide():
    defended, base = paired_only()
    mean, base_mean = (estimate(groups(side)) for side in (defended, base))
    assert abs(mean.value - base_mean.value) < 0.2 * np.hypot(mean.error, base_mean.error)
    (difference,) = differences([*defended, *base], "defended", "base")
    assert difference.estimate.value == pytest.approx(0.2, abs=0.03)
    assert difference.estimate.value == pytest.approx(mean.value - base_mean.value)
    assert difference.estimate.p_value() < 0.05
    assert difference.row()["better"] == "lower"
    (reversed_,) = differences([*defended, *base], "base", "defended")
    assert reversed_.estimate.value == pytest.approx(-difference.estimate.value)
    assert reversed_.estimate.error == pytest.approx(difference.estimate.error)


def test_pairs_agree_in_class_and_place():
    experiment = measurement([10.0, 20, 30, 40], [1, 0, 1, 0], experiment="a")
    baseline = measurement([1.0, 2, 3], [0, 1, 1], experiment="b")
    (difference,) = differences([experiment, baseline], "a", "b")
    # Class 0: 20 - 1 (40 has no partner); class 1: 10 - 2 and 30 - 3. The mean of the classes' means.
    assert difference.estimate.n == 3
    assert difference.estimate.value == pytest.approx((19 + (8 + 27) / 2) / 2)
    assert differences([experiment, baseline], "a", "absent") == []
    assert differences([experiment, measurement([1.0], [0], experiment="b", seed=1)], "a", "b") == []
    assert differences([experiment, measurement([1.0], [0], experiment="b", budget="convergence")], "a", "b") == []


def test_sets_are_compared_at_one_size_only():
    def fid(experiment, n):
        return measurement([1.0], [-1], experiment=experiment, measure="fid", sizes={"n": n, "n_real": n})

    assert differences([fid("a", 8), fid("b", 9)], "a", "b") == []
    (difference,) = differences([fid("a", 8), fid("b", 8)], "a", "b")
    assert difference.estimate.interval() is None
    assert difference.estimate.p_value() > 0.01


def test_differences_that_all_agree_are_judged_by_their_number():
    def all_lost(classes):
        sides = [
            measurement(np.full(classes, hit), np.arange(classes), experiment=e)
            for e, hit in (("a", False), ("b", True))
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
