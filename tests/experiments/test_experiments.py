"""The reproductions at a size for tests, and on the full data where it is at hand."""

from functools import partial

import numpy as np
import pytest

from tfinv import datasets
from tfinv.comparison.evaluators import Evaluators
from tfinv.evaluation.robustness.checks import Effort, robustness_checks
from tfinv.experiments import faces as faces_module
from tfinv.experiments import table1 as table1_module
from tfinv.experiments.poster import PosterTraining
from tfinv.experiments.table1 import table1
from tfinv.reporting import Results, write_html
from tfinv.runs.workdir import Workdir
from tfinv.training.fit import Diverged
from tfinv.training.schedule import Schedule


@pytest.mark.proof
def test_faces_measures_every_model_by_every_attacker(tmp_path, monkeypatch):
    monkeypatch.setattr(faces_module, "Evaluators", partial(Evaluators, decoder_epochs=2))
    train, test = (datasets.load("mnist5k", s).take(n) for s, n in (("train", 300), ("test", 60)))
    rows, checks, figures = faces_module.faces(
        train,
        test,
        Workdir(tmp_path, {}),
        members=[(e, "mlp(units=32)", e) for e in ("baseline", "reversal")],
        evaluators=("softmax",),
        training=PosterTraining(Schedule(epochs=2, batch_size=64)),
        evaluator_epochs=2,
        steps=5,
        most_steps=10,
        labels=[0, 3],
    )
    measured = {(r["experiment"], r["method"], r["budget"]) for r in rows if r["kind"] == "inversion"}
    for experiment in ("baseline", "reversal"):
        for method in ("miface", "gradient", "gradient-from-noise"):
            assert {(experiment, method, "equal"), (experiment, method, "convergence")} <= measured
        assert (experiment, "fresh-decoder", "convergence") in measured
    equal = [r for r in rows if r.get("measure") == "steps" and r["budget"] == "equal"]
    assert {r["value"] for r in equal} == {5.0}
    assert {c.name for c in checks} >= {"equal-test-accuracy", "evaluators-are-accurate", "gives-away-less (reversal)"}
    assert {f.name for f in figures} >= {"neighbours", "fresh-decoder", "miface-equal"}
    page = write_html(Results("test", {}, rows, checks, figures), tmp_path).read_text()
    assert page.count("data:image/png") >= len(figures)


def test_table1_goes_on_without_a_training_that_diverges(tmp_path, monkeypatch):
    train, test = (datasets.load("mnist5k", s).take(n) for s, n in (("train", 64), ("test", 20)))
    real, tried = table1_module.train_experiment, []

    def train_experiment(experiment, *args, **kwargs):
        tried.append(experiment)
        if experiment == "reversal":
            raise Diverged("Expected finite losses.")
        return real(experiment, *args, **kwargs)

    monkeypatch.setattr(table1_module, "train_experiment", train_experiment)
    for _ in range(2):
        rows, checks = table1(
            train,
            test,
            Workdir(tmp_path, {}),
            experiments=("reversal", "baseline"),
            training=PosterTraining(Schedule("mlp(units=8)", epochs=1, batch_size=32)),
            eps=(0.1,),
            pgd_steps=2,
            attack_limit=10,
        )
        assert {r["experiment"] for r in rows} == {"baseline"}
        check = next(c for c in checks if c.name == "trainings-end")
        assert check.passed is False
        assert check.evidence == "1 of 2 trainings came to their end; reversal (seed 0): Expected finite losses."
    assert tried.count("reversal") == 1


@pytest.mark.proof
@pytest.mark.data
def test_on_real_mnist_the_honest_curve_falls_and_the_artefact_is_caught(full_data, tmp_path, monkeypatch):
    effort = Effort(images=100, steps=5, queries=20, draws=5, minimal_steps=5)
    monkeypatch.setattr(table1_module, "robustness_checks", partial(robustness_checks, effort=effort))
    train = datasets.load("mnist", "train", data_dir=full_data).take(12000)
    test = datasets.load("mnist", "test", data_dir=full_data).take(500)
    rows, checks = table1(
        train,
        test,
        Workdir(tmp_path, {}),
        experiments=("baseline",),
        training=PosterTraining(Schedule(epochs=2)),
        pgd_steps=10,
    )
    accuracy = {(r["attack"], r["eps"]): r["accuracy"] for r in rows if r["kind"] == "accuracy"}
    assert accuracy["none", 0.0] > 0.94
    assert accuracy["none", 0.0] > accuracy["fgsm", 0.05] > accuracy["fgsm", 0.25]
    assert accuracy["pgd", 0.25] < 0.05
    flat = {accuracy["fgsm-artefact", e] for e in (0.05, 0.1, 0.25)}
    assert len(flat) == 1
    assert flat.pop() > 0.93
    passed = {c.name: c.passed for c in checks}
    assert passed["accuracy-falls-with-eps"]
    assert passed["perturbation-uses-budget"]
    assert passed["accuracy-falls-with-eps (fgsm-artefact)"] is False
    assert passed["perturbation-uses-budget (fgsm-artefact)"] is False


@pytest.mark.proof
@pytest.mark.data
def test_softmax_regression_recognises_the_att_faces(full_data, tmp_path):
    train, test = (
        datasets.load("att_faces", split, data_dir=full_data, image_size=(56, 46)) for split in ("train", "test")
    )
    from tfinv.experiments.poster import train_experiment

    _, rows = train_experiment(
        "baseline",
        train,
        test,
        PosterTraining(Schedule("softmax", epochs=40, batch_size=28)),
        Workdir(tmp_path, {}),
    )
    assert rows[0]["value"] >= 0.95
    assert np.isclose(rows[0]["n"], 120)
