"""The frontier: which recipes, where its points come from, and the whole road at a size for tests."""

import dataclasses

import numpy as np
import pytest

from tfinv import datasets
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.robustness import Robustness
from tfinv.errors import UserError
from tfinv.evaluation.robustness.checks import Effort
from tfinv.experiments.frontier import Sweep, frontier
from tfinv.runs.workdir import Workdir
from tfinv.training.defences import defence
from tfinv.training.schedule import Schedule

ATAT = "atat(weight={weight})"
AXES = ("acc@1", "feature_distance", "membership_auc")


def test_the_sweep_goes_from_the_least_robust_to_the_most():
    trainings = ("atat(weight={weight},steps=1)", "adversarial(eps={eps},steps=2)")
    sweep = Sweep((0.8, 0.08), (0.1, 0.3), *trainings, reversal="reversal")
    assert sweep.swept == [
        "atat(weight=0.8,steps=1)",
        "atat(weight=0.08,steps=1)",
        "none",
        "adversarial(eps=0.1,steps=2)",
        "adversarial(eps=0.3,steps=2)",
    ]
    assert sweep.with_reversal[2:4] == ["reversal", "adversarial(eps=0.1,steps=2)+reversal"]
    assert sweep.twins["reversal"] == "none"
    assert sweep.twins["adversarial(eps=0.1,steps=2)+reversal"] == "adversarial(eps=0.1,steps=2)"
    plain = dataclasses.replace(sweep, reversal="")
    assert (plain.swept, plain.with_reversal, plain.twins) == (sweep.swept, [], {})
    for spec in (*sweep.swept, *sweep.with_reversal):
        defence(spec)


@pytest.mark.parametrize("robust", ["adversarial(eps={e})", "adversarial(eps=.1)"])
def test_a_sweep_needs_a_place_for_eps(robust):
    with pytest.raises(UserError, match=r"with \{eps\} in it.*Change --robust_training"):
        Sweep((), (0.1,), ATAT, robust)


def test_a_sweep_needs_a_place_for_the_weight():
    with pytest.raises(UserError, match=r"with \{weight\} in it. Received: atat.*Change --anti_training"):
        Sweep((0.8,), (), "atat", "fast(eps={eps})")


@pytest.mark.proof
def test_the_road_from_sweep_to_line(tmp_path):
    whole = datasets.load("mnist5k", "train")
    rows, checks, figures = frontier(
        whole.take(1000),
        datasets.load("mnist5k", "test").take(60),
        whole.subset(range(3000, 3200)),
        Workdir(tmp_path, {}),
        sweep=Sweep((), (0.05, 0.1), ATAT, "fast(eps={eps})", "reversal(strength=1)"),
        schedule=Schedule(architecture="mlp(units=32)", epochs=5, batch_size=32, learning_rate=0.01),
        evaluators=Evaluators(
            ("softmax", "cnn(filters=(8,),units=16)"), Schedule(epochs=2, batch_size=64), decoder_images=0
        ),
        robustness=Robustness(("pgd(steps=3)",), (0.02,), 60, effort=Effort(10, 2, 2, 1)),
        samples=1,
        steps=150,
    )
    measured = {r["experiment"] for r in rows if r["kind"] == "accuracy" and r["eps"]}
    assert measured == {r["experiment"] for r in rows if r["kind"] == "training"}
    assert len(measured) == 6
    assert {"frontier-acc1", "frontier-feature_distance", "frontier-membership_auc"} <= {f.name for f in figures}
    assert all((tmp_path / f.path).exists() for f in figures)
    check = next(c for c in checks if c.name == "some-recipe-is-robust-and-private (feature_distance)")
    assert "over 3 swept models" in check.evidence
    against_twins = {(r["experiment"], r["than"]) for r in rows if r["kind"] == "inversion difference"}
    assert ("fast(eps=0.05)+reversal(strength=1)", "fast(eps=0.05)") in against_twins
    assert len(against_twins) == 3
    correlations = [r for r in rows if r["kind"] == "frontier"]
    assert {(r["measure"], tuple(r["seed"])) for r in correlations} <= {(m, (0,)) for m in AXES}
    assert all(-1 <= r["r"] <= 1 and r["n"] == 3 for r in correlations)
    assert {"feature_distance", "membership_auc"} <= {r["measure"] for r in correlations}
    areas = [r for r in rows if r["kind"] == "membership" and r["measure"] == "auc"]
    assert {r["experiment"] for r in areas} == measured
    assert {(r["members"], r["nonmembers"]) for r in areas} == {(60, 60)}
    check = next(c for c in checks if c.name == "some-recipe-is-robust-and-private (membership_auc)")
    assert "over 3 swept models" in check.evidence
    assert "members-and-nonmembers-alike" in {c.name for c in checks}
    assert np.isfinite([r["accuracy"] for r in rows if r["kind"] == "accuracy"]).all()
