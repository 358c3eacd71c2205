"""`tfinv audit`: exit codes, a run that is killed, and what a planted masking makes of a grade."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tiny_audit
from commands import killed, one_line, run, timeless
from tfinv.auditing import budget
from tfinv.reporting import Results

RULES = ("--questions=accuracy", "--eps=.1")
_QUICK = budget.budget("quick")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny model and its digits."""
    folder = tmp_path_factory.mktemp("audited")
    tiny_audit.save(folder)
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(budget._BUDGETS, "quick", tiny_audit.TINY)
    monkeypatch.setattr("tfinv_cli.common.auditing.write_tensorboard", lambda results, folder, to: None)


def line(folder, workdir, *flags, model=None):
    files = ("--model", model or folder / "model.keras", "--dataset", folder / "digits.npz")
    return ("audit", *files, "--workdir", workdir, *flags)


def test_a_finished_audit_is_0_and_ends_with_the_report(folder, tmp_path, capsys):
    assert run(*line(folder, tmp_path, *RULES)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "report.html")
    states = {row["question"]: row["state"] for row in Results.read(tmp_path).rows_of("question")}
    assert states["accuracy"] == "asked"
    assert set(states.values()) == {"asked", "not asked"}


def test_a_closed_gate_is_3_and_names_the_rule(folder, tmp_path, capsys):
    policy = tmp_path / "policy.toml"
    policy.write_text("[rules.clean-accuracy]\ngood = 1.0\nfair = 0.999\n", encoding="utf-8")
    flags = (*RULES, f"--policy={policy}", "--fail_on=clean-accuracy")
    assert run(*line(folder, tmp_path, *flags)) == 3
    assert "clean-accuracy" in one_line(capsys.readouterr().err)
    gates = [row["rule"] for row in Results.read(tmp_path).rows_of("grade") if row["gate"]]
    assert gates == ["clean-accuracy"]
    # The same answers by the default policy, which digits that a small network has mostly right pass.
    assert run(*line(folder, tmp_path, *RULES, "--fail_on=clean-accuracy")) == 0


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--budget=huge",), 2),
        (("--eps=big",), 2),
        (("--eps=.1,.2",), 2),
        (("--fail_on=beauty",), 1),
        (("--questions=beauty",), 2),
        (("--policy=/no/such.toml",), 1),
        (("--nonmembers=test",), 1),
        (("--members=train[9:3]",), 1),
    ],
)
def test_wrong_flags_and_what_is_not_there(folder, tmp_path, capsys, flags, code):
    assert run(*line(folder, tmp_path, *flags)) == code
    assert "Expected" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "results.json").exists()


def test_an_interrupted_audit_is_130(folder, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfinv.auditing.questions.accuracy.ask", interrupt)
    assert run(*line(folder, tmp_path, *RULES)) == 130
    assert "run it again with the same --workdir" in one_line(capsys.readouterr().err)


def test_hours_of_work_end_where_nobody_can_agree(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tfinv.auditing.estimate.LONG", 0.0)
    assert run(*line(folder, tmp_path, *RULES)) == 1
    assert "--yes" in one_line(capsys.readouterr().err)
    assert run(*line(folder, tmp_path, *RULES, "--yes")) == 0


@keras.saving.register_keras_serializable("test_audit")
class Backwards(keras.layers.Layer):
    """The identity, with a gradient that points the other way."""

    def call(self, x):
        @tf.custom_gradient
        def same(x):
            return tf.identity(x), lambda g: -g

        return same(x)


def test_a_planted_masking_is_disbelieved_and_not_graded(folder, tmp_path, monkeypatch):
    inputs = keras.Input((tiny_audit.SIZE, tiny_audit.SIZE, 1))
    keras.Model(inputs, tiny_audit.network()(Backwards()(inputs))).save(tmp_path / "masked.keras")
    for name, model in (("honest", folder / "model.keras"), ("masked", tmp_path / "masked.keras")):
        workdir = tmp_path / name
        assert run(*line(folder, workdir, "--questions=robustness", "--eps=.1", model=model)) == 0
        grades = [row for row in Results.read(workdir).rows_of("grade") if row["question"] == "robustness"]
        states = {row["state"] for row in grades}
        assert (states == {"disbelieved"}) == (name == "masked"), (name, states)
    assert all("gradient-matches-differences" in row["checks"] for row in grades)
    assert {row["grade"] for row in grades} == {None}


@pytest.mark.proof
def test_a_killed_audit_goes_on_as_if_nothing_had_been(folder, tmp_path):
    # In a process of its own, where the budget is the real one: a few questions of it.
    flags = ("--questions=accuracy,calibration,robustness", "--eps=.1")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert not list(tmp_path.glob("*/results.json"))
    (stage,) = killed(broken, "stages/question-calibration.json", *line(folder, broken, *flags))
    before = stage.stat().st_mtime_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(budget._BUDGETS, "quick", _QUICK)
        assert run(*line(folder, broken, *flags)) == 0
        assert run(*line(folder, whole, *flags)) == 0
    assert stage.stat().st_mtime_ns == before
    assert timeless(broken) == timeless(whole)


def test_the_table_of_images_is_there(folder, tmp_path):
    assert run(*line(folder, tmp_path, *RULES)) == 0
    header, *lines = (tmp_path / "records.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("split,index,label,prediction,confidence")
    assert len(lines) == 40
    assert np.isin([text.split(",")[0] for text in lines], ["test"]).all()
