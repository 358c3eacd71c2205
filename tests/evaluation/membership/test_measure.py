"""Rows of one target, and their means over targets and seeds."""

import numpy as np
import pytest
from scipy import stats

from tfinv.errors import UserError
from tfinv.evaluation.membership import roc
from tfinv.evaluation.membership.epsilon import epsilon_bound
from tfinv.evaluation.membership.intervals import auc_interval, tpr_interval
from tfinv.evaluation.membership.measure import measure, pool
from tfinv.reporting.results.schema import check_row
from tfinv.reporting.results.summary import interval


def draw(seed, n=1000, shift=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, n), rng.normal(0, 1, n)


def find(rows, name, **keys):
    """The one row of a measure with these keys."""
    (row,) = [r for r in rows if r["measure"] == name and all(r.get(k) == v for k, v in keys.items())]
    return row


def test_rows_have_all_measures():
    members, nonmembers = draw(0)
    rows = measure(members, nonmembers, seed=3)
    names = [
        "auc",
        "advantage",
        "tpr@1%",
        *["precision@1%"] * 3,
        "tpr@0.1%",
        *["precision@0.1%"] * 3,
        "tpr@0%",
        "epsilon",
    ]
    assert [row["measure"] for row in rows] == names
    for row in rows:
        check_row(row | {"experiment": "x", "attack": "lira", "target": "x"})
        assert (row["kind"], row["n"], row["members"], row["nonmembers"], row["seed"]) == (
            "membership",
            2000,
            1000,
            1000,
            3,
        )
        bounds = interval(row)
        assert (bounds is None) is (row["measure"] == "epsilon")
        assert bounds is None or 0 <= bounds[0] <= row["value"] <= bounds[1] <= 1
    area, tpr = auc_interval(members, nonmembers), tpr_interval(members, nonmembers, 0.01)
    assert find(rows, "auc")["ci95"] == [area.low, area.high]
    row = find(rows, "tpr@1%")
    assert (row["value"], row["ci95"], row["interval"]) == (tpr.value, [tpr.low, tpr.high], "bootstrap")
    assert find(rows, "tpr@0.1%")["interval"] == "order statistics"
    assert find(rows, "tpr@0%")["fpr_bound"] == pytest.approx(0.003, rel=0.01)
    assert find(rows, "epsilon")["value"] == epsilon_bound(members, nonmembers, seed=3).epsilon > 0


def test_precision_is_of_the_fpr_that_the_threshold_stands_for():
    rows = measure(*draw(1), seed=0)
    for prior in (0.5, 0.1, 0.01):
        row, tpr = find(rows, "precision@1%", prior=prior), find(rows, "tpr@1%")
        ends = [roc.precision(t, 0.01, prior) for t in (tpr["value"], *tpr["ci95"])]
        assert [row["value"], *row["ci95"]] == ends
    assert find(rows, "precision@1%", prior=0.5)["value"] > 0.8 > 0.3 > find(rows, "precision@1%", prior=0.01)["value"]


def test_thresholds_of_the_shadows_stand_beside_those_of_the_curve():
    """Shadows with higher scores set too high a threshold: the FPR that it has in truth says so."""
    members, nonmembers = draw(2)
    rows = measure(members, nonmembers, seed=0, shadow_nonmembers=draw(3, 5000)[1] + 0.5)
    row = find(rows, "tpr@1%", threshold="shadows")
    threshold = stats.norm.isf(0.01) + 0.5
    assert row["realised_fpr"] == pytest.approx(stats.norm.sf(threshold), abs=0.004)
    assert row["value"] == pytest.approx(stats.norm.sf(threshold - 1), abs=0.03)
    assert row["value"] < find(rows, "tpr@1%", threshold="curve")["value"]
    assert row["fpr_ci95"][0] <= row["realised_fpr"] <= row["fpr_ci95"][1] < 0.01
    assert find(rows, "tpr@0%", threshold="shadows")["fpr"] == 0


def test_few_records_are_measured_all_the_same():
    rows = measure(np.array([2.0]), np.arange(10.0), seed=0)
    assert {row["measure"] for row in rows} >= {"auc", "tpr@1%"}
    assert find(rows, "tpr@0.1%")["ci95"][0] == 0
    with pytest.raises(UserError, match="NaN"):
        measure(np.array([np.nan]), np.arange(10.0), seed=0)


def runs(targets, seeds, shift=1.0):
    rows = []
    for target in range(targets):
        for seed in range(seeds):
            scores = draw(100 * target + seed, 200, shift)
            rows += [
                row | {"experiment": "x", "attack": "lira", "target": target} for row in measure(*scores, seed=seed)
            ]
    return rows


def test_means_over_targets_by_hand():
    rows = runs(4, 1)
    values = [find(rows, "auc", target=t)["value"] for t in range(4)]
    row = find(pool(rows), "auc")
    half = stats.t.ppf(0.975, 3) * stats.sem(values)
    assert row["value"] == pytest.approx(np.mean(values))
    assert row["ci95"] == pytest.approx([np.mean(values) - half, np.mean(values) + half])
    assert (row["targets"], row["seed"], row["n"], row["members"]) == (4, [0], 1600, 800)
    assert (row["experiment"], row["attack"]) == ("x", "lira")
    assert "target" not in row
    assert not [r for r in pool(rows) if r["measure"] == "epsilon"]
    assert len([r for r in pool(rows) if r["measure"] == "precision@1%"]) == 3


def test_seeds_are_crossed_with_targets():
    row = find(pool(runs(3, 2)), "tpr@1%")
    assert (row["targets"], row["seed"]) == (3, [0, 1])
    assert pool(runs(1, 1)) == []
    with pytest.raises(UserError, match="same targets"):
        pool(runs(3, 2)[:-12])
    with pytest.raises(UserError, match="same targets"):
        pool(runs(2, 1) + runs(2, 1))


def test_the_mean_over_targets_without_a_hit_covers():
    """A TPR of .02 % leaves no hit in four targets every other time, and Student's interval is then [0, 0]."""
    rng, truth = np.random.default_rng(0), 2e-4
    covered = zeros = 0
    for _ in range(60):
        rows = []
        for target in range(4):
            members = np.where(rng.random(1000) < truth, 9.0, rng.normal(-9, 1, 1000))
            rows += [row | {"target": target} for row in measure(members, rng.normal(size=1000), seed=0)]
        mean = find(pool(rows), "tpr@1%")
        zeros += mean["value"] == 0
        covered += mean["ci95"][0] <= truth <= mean["ci95"][1]
    assert zeros > 15
    assert covered == 60


def test_targets_that_agree_have_the_interval_of_their_own():
    rows = [row | {"target": target} for target in range(3) for row in measure(np.ones(50), np.zeros(50), seed=0)]
    for name, keys in [
        ("auc", {}),
        ("advantage", {}),
        ("tpr@1%", {}),
        ("tpr@0%", {}),
        ("precision@1%", {"prior": 0.1}),
    ]:
        row, mean = find(rows, name, target=0, **keys), find(pool(rows), name, **keys)
        assert mean["ci95"] == pytest.approx(row["ci95"])
        assert mean["ci95"][0] < mean["value"] <= mean["ci95"][1]
        assert mean["interval"] == row["interval"] != "Student"


def test_the_mean_over_targets_covers_targets_that_differ():
    """Targets with AUCs of their own: the interval of a single one does not cover the mean of all, the pooled one does."""
    rng = np.random.default_rng(0)
    shifts = rng.normal(1.0, 0.3, 100_000)
    truth = np.mean(stats.norm.cdf(shifts / np.sqrt(2)))
    pooled = single = 0
    for _ in range(200):
        rows = []
        for target in range(6):
            scores = rng.normal(rng.choice(shifts), 1, 300), rng.normal(0, 1, 300)
            area = auc_interval(*scores)
            row = {"kind": "membership", "measure": "auc", "value": area.value, "target": target, "seed": 0}
            rows.append(row | {"n": 600, "members": 300, "nonmembers": 300})
        single += area.low < truth < area.high
        (mean,) = pool(rows)
        pooled += mean["ci95"][0] < truth < mean["ci95"][1]
    assert pooled / 200 > 0.92
    assert single / 200 < 0.6
