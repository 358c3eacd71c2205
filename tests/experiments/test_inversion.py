"""Defences against inversions, at a size for tests."""

import pytest

from tfinv import datasets
from tfinv.comparison import attackers
from tfinv.comparison.evaluators import Evaluators
from tfinv.errors import UserError
from tfinv.experiments.inversion import inversion
from tfinv.inversion import Network
from tfinv.reporting import Results
from tfinv.reporting.markdown import markdown
from tfinv.runs.workdir import Workdir
from tfinv.training.schedule import Schedule


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """The inversion network learns for a thousand steps, of which a few do here."""
    monkeypatch.setattr(attackers, "Network", lambda steps: Network(steps=20))


def run(folder, **options):
    whole = datasets.load("mnist5k", "train")
    return inversion(
        whole.take(300),
        datasets.load("mnist5k", "test").take(60),
        whole.subset(range(3000, 3200)),
        Workdir(folder, {}),
        **{
            "defences": ("none", "rounding", "reversal(strength=1,layer=stage2)"),
            "schedule": Schedule(epochs=1, batch_size=64),
            "evaluators": Evaluators(
                ("softmax",), Schedule(epochs=1, batch_size=64), decoder_images=100, decoder_epochs=1
            ),
            "same_classes": True,
            "steps": 5,
            "most_steps": 10,
            "labels": [0, 3],
            "methods": ["miface", "network"],
        }
        | options,
    )


@pytest.mark.proof
def test_each_defence_meets_the_chosen_attacks_that_its_outputs_allow(tmp_path):
    rows, checks, figures = run(tmp_path, baselines=["none", "rounding"])
    met = {(r["experiment"], r["method"]) for r in rows if r["kind"] == "inversion"}
    defended = "reversal(strength=1,layer=stage2)"
    judged = {("none", m) for m in ("miface", "network", "fresh-decoder")} | {("rounding", "network")}
    assert judged | {(defended, m) for m in ("miface", "network", "fresh-decoder")} <= met
    assert not {m for e, m in met if e == "rounding"} - {"network"}
    assert {m for e, m in met if e == defended} == {"miface", "network", "fresh-decoder"}
    differences = {(r["experiment"], r["than"]) for r in rows if r["kind"] == "inversion difference"}
    assert differences == {(defended, "rounding"), (defended, "none")}
    assert {c.name for c in checks} >= {"no-training-data-used", f"gives-away-less ({defended})"}
    assert {f.name for f in figures} >= {"miface-equal", "fresh-decoder"}
    assert defended in markdown(Results("test", {}, rows, checks, figures))


def test_a_comparison_with_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"Expected comparisons with none, rounding, .*Received: bido\. Change --than"):
        run(tmp_path, baselines=["none", "bido"])


def test_an_unknown_attack_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"Expected methods among miface, .*Received: plague\. Change --methods"):
        run(tmp_path, methods=["miface", "plague"])
