"""The frontier: which recipes, where its points come from, and the whole road at a size for tests."""

import dataclasses

import numpy as np
import pytest

from tfinv import datasets
from tfinv.errors import UserError
from tfinv.evaluation.checks import Effort
from tfinv.evaluation.frontier import Point
from tfinv.recipes.frontier import Sweep, frontier, judge, points_of
from tfinv.recipes.judging import Judging
from tfinv.recipes.robustness import Robustness
from tfinv.recipes.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule


def test_the_sweep_goes_from_the_least_robust_to_the_most():
    sweep = Sweep(weights=(0.8, 0.08), eps=(0.1, 0.3), robust="adversarial(eps={eps},steps=2)")
    assert sweep.swept == [
        "atat(weight=0.8)",
        "atat(weight=0.08)",
        "none",
        "adversarial(eps=0.1,steps=2)",
        "adversarial(eps=0.3,steps=2)",
    ]
    assert sweep.held[2:4] == ["reversal", "adversarial(eps=0.1,steps=2)+reversal"]
    assert Sweep(reversal="").held == []
    for spec in (*sweep.swept, *sweep.held):
        defence(spec)


@pytest.mark.parametrize("robust", ["adversarial(eps={e})", "adversarial(eps=.1)"])
def test_a_sweep_needs_a_place_for_eps(robust):
    with pytest.raises(UserError, match=r"with \{eps\} in it.*Change --robust_training"):
        Sweep(robust=robust)


def test_only_what_is_robust_can_leave_the_line():
    swept = [Point(n, x, x, (x, x), (x, x)) for n, x in (("atat", 0.0), ("none", 0.1), ("a", 0.4), ("b", 0.8))]
    private = [Point(n, x, 0.0, (x, x), (0.0, 0.0), swept=False) for n, x in (("reversal", 0.1), ("b+reversal", 0.8))]
    shaken = [dataclasses.replace(p, y=p.y + e) for p, e in zip(swept, (0.01, -0.01, -0.01, 0.01), strict=True)]
    _, check = judge([*shaken, *private], lower=True)
    assert check.passed is True
    assert "private side: b+reversal of 1 robust ones" in check.evidence
    assert judge([*shaken, private[0]], lower=True)[1].passed is None
    uncertain = [dataclasses.replace(p, x_interval=(0.0, 0.9)) if p.label == "none" else p for p in shaken]
    assert judge([*uncertain, *private], lower=True)[1].passed is None
    assert judge([*shaken, dataclasses.replace(private[1], y=0.8, y_interval=None)], lower=True)[1].passed is False


def row(experiment, seed, **more):
    return {"experiment": experiment, "seed": seed, "ci95": [0.0, 0.2]} | more


def test_a_point_is_the_mean_over_seeds_and_evaluators():
    sweep = Sweep(weights=(), eps=(0.1,), robust="adversarial(eps={eps})", reversal="")
    rows = []
    for seed, accuracy, hits in ((0, 0.2, (0.5, 0.7)), (1, 0.4, (0.9, 1.0))):
        rows.append(row("none", seed, kind="accuracy", attack="pgd", eps=0.1, accuracy=accuracy))
        rows.append(row("none", seed, kind="accuracy", attack="pgd", eps=0.3, accuracy=0.0))
        rows += [
            row(
                "none", seed, kind="inversion", method="gradient", budget="equal", measure="acc@1", value=h, evaluator=e
            )
            for h, e in zip(hits, "ab", strict=True)
        ]
    # A pooled row is of all seeds, and not one more.
    rows.append(row("none", [0, 1], kind="inversion", method="gradient", budget="equal", measure="acc@1", value=0.0))
    (point,) = points_of(rows, sweep, attack="pgd", eps=0.1, method="gradient", measure="acc@1")
    assert (point.label, point.swept) == ("none", True)
    assert point.x == pytest.approx(0.3)
    assert point.y == pytest.approx((0.6 + 0.95) / 2)
    # Student's quantile of one degree of freedom, times half the distance of the two.
    assert point.x_interval == pytest.approx((0.3 - 12.7062 * 0.1, 0.3 + 12.7062 * 0.1), abs=1e-4)


def test_the_road_from_sweep_to_line(tmp_path):
    whole = datasets.load("mnist5k", "train")
    rows, checks, figures = frontier(
        whole.take(1000),
        datasets.load("mnist5k", "test").take(60),
        whole.subset(range(3000, 3200)),
        Workdir(tmp_path, {}),
        sweep=Sweep((), (0.05, 0.1), "fast(eps={eps})", "reversal(strength=1)"),
        schedule=Schedule(architecture="mlp(units=32)", epochs=3, batch_size=64),
        judging=Judging(("softmax", "cnn(filters=(8,),units=16)"), Schedule(epochs=2, batch_size=64), decoder_images=0),
        robustness=Robustness(("pgd(steps=3)",), (0.02,), 60, effort=Effort(10, 2, 2, 1)),
        samples=1,
        steps=5,
    )
    measured = {r["experiment"] for r in rows if r["kind"] == "accuracy" and r["eps"]}
    assert measured == {r["experiment"] for r in rows if r["kind"] == "training"}
    assert len(measured) == 6
    assert {"frontier-acc1", "frontier-feature_distance"} <= {f.name for f in figures}
    assert all((tmp_path / f.path).exists() for f in figures)
    check = next(c for c in checks if c.name == "some-recipe-is-robust-and-private (feature_distance)")
    assert "over 3 swept models" in check.evidence
    assert np.isfinite([r["accuracy"] for r in rows if r["kind"] == "accuracy"]).all()
