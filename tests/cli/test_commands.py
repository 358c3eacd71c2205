"""The commands as a user meets them: each in a process of its own where output and exit code matter, in this one elsewhere."""

import json
import os
import pathlib
import pickle
import re
import shutil

import keras
import numpy as np
import pytest

from commands import arrays, killed, one_line, process, run, timeless
from tfinv.classifier import Classifier
from tfinv.evaluation.robustness import chunks
from tfinv.reporting import Results
from tfinv_cli import main


def test_evaluate_writes_results_that_add_up(digits, tmp_path, capsys):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--workdir", tmp_path)
    assert run("evaluate", *args, "--eps=8/255,0.2", "--attacks=fgsm,pgd(steps=5)", "--batch_size=32") == 0
    out = capsys.readouterr().out
    assert "linear head" in out
    assert out.strip().splitlines()[-1] == str(tmp_path / "report.html")
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["schema"] == 2
    assert results["command"] == "evaluate"
    assert results["config"]["eps"] == [8 / 255, 0.2]
    assert {c["name"] for c in results["checks"]} >= {"preprocessing-fits", "pgd-at-least-fgsm"}
    data = arrays(digits / "digits.npz")
    model = Classifier.from_keras(keras.models.load_model(digits / "model.keras"))
    clean = next(r for r in results["rows"] if r["attack"] == "none")
    assert clean["accuracy"] == model.accuracy(data["x_test"] / np.float32(255), data["y_test"])
    assert clean["n"] == 60
    attacked = [r for r in results["rows"] if r["attack"] == "fgsm"]
    assert [r["eps"] for r in attacked] == [8 / 255, 0.2]
    assert attacked[1]["max_distance"] == pytest.approx(0.2, abs=1e-6)
    assert attacked[1]["accuracy"] < clean["accuracy"]


def test_evaluate_says_when_the_bounds_are_wrong(tmp_path, digits, few_checks):
    inner = keras.models.load_model(digits / "model.keras")
    keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), inner]).save(tmp_path / "m.keras")
    args = ("--model", tmp_path / "m.keras", "--dataset", digits / "digits.npz", "--eps=0.1", "--attacks=fgsm")
    assert run("evaluate", *args, "--workdir", tmp_path / "wrong") == 0
    assert run("evaluate", *args, "--workdir", tmp_path / "right", "--bounds=0,255") == 0
    wrong, right = (
        next(c for c in Results.read(tmp_path / name).checks if c.name == "preprocessing-fits")
        for name in ("wrong", "right")
    )
    assert not wrong.passed
    assert "--bounds=0,255" in wrong.evidence
    assert right.passed


def test_attack_keeps_images_inside_the_budget(digits, tmp_path):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=20")
    assert run("attack", *args, "--eps=0.1", "--attacks=pgd(steps=3)", "--workdir", tmp_path) == 0
    adversarial = np.load(tmp_path / "adversarial" / "pgd(steps=3).npy")
    original = arrays(digits / "digits.npz")["x_test"][:20] / np.float32(255)
    perturbation = adversarial.astype(float) - original.astype(float)
    assert 0.04 < np.abs(perturbation).max() <= 0.1
    labels = np.load(tmp_path / "adversarial" / "labels.npy")
    model = Classifier.from_keras(keras.models.load_model(digits / "model.keras"))
    row = Results.read(tmp_path).rows[1]
    assert row["accuracy"] == np.mean(model.predict(adversarial).argmax(1) == labels)
    assert sorted(p.name for p in (tmp_path / "adversarial").iterdir()) == ["labels.npy", "pgd(steps=3).npy"]


def test_what_was_kept_of_one_model_is_not_taken_for_another(digits, tmp_path, capsys, few_checks):
    model = tmp_path / "model.keras"
    shutil.copy(digits / "model.keras", model)
    args = ("--model", model, "--dataset", digits / "digits.npz", "--limit=10", "--eps=0.1", "--attacks=fgsm")
    for command in ("attack", "evaluate"):
        assert run(command, *args, "--workdir", tmp_path / command) == 0
    negated(model)
    for command in ("attack", "evaluate"):
        capsys.readouterr()
        assert run(command, *args, "--workdir", tmp_path / command) == 1
        assert "model_contents=" in one_line(capsys.readouterr().err)


def test_what_was_kept_of_one_surrogate_is_not_taken_for_another(digits, tmp_path, capsys):
    surrogate = tmp_path / "other.keras"
    shutil.copy(digits / "model.keras", surrogate)
    attack = f"worst_case(members=\"noise,transfer(surrogate='{surrogate}',attack=fgsm)\")"
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=10", "--eps=0.1")
    argv = ("attack", *args, f"--attacks={attack}", "--workdir", tmp_path / "kept")
    assert run(*argv) == 0
    negated(surrogate)
    capsys.readouterr()
    assert run(*argv) == 1
    assert f"{surrogate}_contents=" in one_line(capsys.readouterr().err)


def negated(path):
    model = keras.models.load_model(path)
    model.set_weights([-w for w in model.get_weights()])
    model.save(path)


@pytest.mark.proof
def test_workers_leave_the_same_adversarial_images(digits, tmp_path, monkeypatch):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=20", "--batch_size=2")
    argv = ("attack", *args, "--eps=0.1,0.2", "--attacks=pgd(steps=3),noise(draws=2)", "--curve=independent")
    assert run(*argv, "--workdir", tmp_path / "one") == 0
    monkeypatch.setattr(chunks, "attack_at_each", None)
    assert run(*argv, "--workers=2", "--workdir", tmp_path / "two") == 0
    assert timeless(tmp_path / "two") == timeless(tmp_path / "one")
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "adversarial").iterdir()}
        for name in ("one", "two")
    )
    assert len(one) == 5  # two attacks at two eps, and the labels
    assert two == one


@pytest.mark.proof
def test_a_killed_evaluation_of_several_workers_goes_on_and_ends_as_alone(digits, tmp_path, few_checks):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--batch_size=3", "--eps=0.1")
    argv = ("evaluate", *args, "--attacks=apgd(steps=30)", "--check_images=10")
    assert run(*argv, "--workdir", tmp_path / "whole") == 0
    folder = tmp_path / "killed"
    # The second of five chunks is finished.
    (stage,) = killed(folder, "stages/apgd*-12.npz", *argv, "--workers=2", "--workdir", folder)
    modified = stage.stat().st_mtime_ns
    assert run(*argv, "--workdir", folder) == 0  # and alone
    assert stage.stat().st_mtime_ns == modified
    assert timeless(folder) == timeless(tmp_path / "whole")


@pytest.mark.proof
def test_a_killed_attack_goes_on_and_ends_the_same(digits, tmp_path):
    args = (
        "--model",
        digits / "model.keras",
        "--dataset",
        digits / "digits.npz",
        "--batch_size=5",
        "--eps=0.1,0.2",
    )
    argv = ("attack", *args, "--attacks=fgsm,autoattack(steps=4,queries=200,n_targets=3)", "--curve=independent")
    assert run(*argv, "--workdir", tmp_path / "whole") == 0
    folder = tmp_path / "killed"
    # In the middle of AutoAttack, at the second eps: FGSM, finished before, is not run again.
    killed(folder, "stages/autoattack*-1.npz", *argv, "--workdir", folder)
    made = {path: path.stat().st_mtime_ns for path in folder.glob("stages/fgsm*.npz")}
    assert made
    assert run(*argv, "--workdir", folder) == 0
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert timeless(folder) == timeless(tmp_path / "whole")
    for path in (tmp_path / "whole" / "adversarial").iterdir():
        np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "killed" / "adversarial" / path.name))


def test_image_size_resizes_for_training_and_evaluation(tmp_path, few_checks):
    size = ("--dataset=mnist5k", "--image_size=14,16")
    assert run("train", *size, "--limit=100", "--epochs=1", "--workdir", tmp_path) == 0
    model = tmp_path / "models" / "cnn-none-0.keras"
    assert keras.models.load_model(model).input_shape == (None, 14, 16, 1)
    args = ("--model", model, "--limit=8", "--attacks=fgsm", "--eps=.1", "--workdir", tmp_path / "e")
    assert run("evaluate", *size, *args) == 0
    assert run("evaluate", "--dataset=mnist5k", "--image_size=14", *args) == 2


def test_train_then_report(tmp_path, capsys):
    assert run("train", "--dataset=mnist5k", "--limit=200", "--epochs=1", "--workdir", tmp_path) == 0
    model = keras.models.load_model(tmp_path / "models" / "cnn-none-0.keras")
    assert model.output_shape == (None, 10)
    (tmp_path / "report.html").unlink()
    assert run("report", "--workdir", tmp_path) == 0
    assert (tmp_path / "report.html").is_file()
    assert capsys.readouterr().out.strip().endswith("report.html")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ((), 2, ""),
        (("fly",), 2, "Expected a command among"),
        (("evaluate",), 2, "--model"),
        (("evaluate", "--modle=x"), 2, "Expected flags of tfinv evaluate. Received: --modle. Did you mean --model?"),
        (("evaluate", "--model"), 2, "Expected a value for --model. Received: none."),
        (("train", "--epochs=0", "--workdir=w"), 2, "Expected a value that --epochs takes. Received: 0 ("),
        (("train", "--epochs=many", "--workdir=w"), 2, "Received: many ("),
        (("train", "--workdir=w", "stray"), 2, "stray"),
        (("train", "--defense=magic", "--workdir=w"), 2, "Received: 'magic'. Change --defense."),
        (("reproduce", "table9", "--workdir=w"), 2, "table9"),
        (("reproduce", "--workdir=w"), 2, "demo, table1, faces"),
        (("evaluate", "--model=none.keras", "--dataset=mnist5k", "--workdir=w"), 1, "none.keras"),
        (
            ("evaluate", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--workdir=w", "--attacks=zap"),
            2,
            "Received: 'zap'. Change --attacks.",
        ),
        (
            (
                "evaluate",
                "--model=pretrained:mnist-natural",
                "--dataset=mnist5k",
                "--workdir=w",
                "--attacks=pgd(steps=0)",
            ),
            1,
            "steps",
        ),
        (
            (
                "evaluate",
                "--model=pretrained:mnist-natural",
                "--dataset=mnist5k",
                "--workdir=w",
                "--attacks=pgd(eps=.1)",
            ),
            1,
            "with --eps",
        ),
        (
            ("evaluate", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--workdir=w", "--eps=big"),
            2,
            "Received: 'big'. Change --eps.",
        ),
        (("invert", "--model=pretrained:mnist-natural", "--dataset=mnist5k", "--workdir=w", "--labels=1.5"), 2, "1.5"),
        (
            (
                "invert",
                "--model=pretrained:mnist-natural",
                "--dataset=mnist5k",
                "--workdir=w",
                "--methods=gmi",
                "--identifiers=mlp",
            ),
            2,
            "--auxiliary beside --identifiers",
        ),
        (("report", "--workdir=nowhere"), 1, "nowhere"),
        (("train", "--dataset=no/such/folder", "--workdir=w"), 1, "no/such/folder"),
    ],
)
def test_wrong_use_is_one_line_and_the_right_exit_code(argv, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*argv) == code
    captured = capsys.readouterr()
    if message:
        assert message in one_line(captured.err)


@pytest.mark.parametrize("content", [b"", b"not a model", pickle.dumps(os.getcwd), b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_is_no_model_is_one_line(content, suffix, digits, tmp_path, capsys):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    args = ("--model", path, "--dataset", digits / "digits.npz", "--workdir", tmp_path / "w")
    assert run("evaluate", *args) == 1
    assert "Expected" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "w" / "results.json").exists()


def test_labels_beyond_the_model_are_one_line(digits, tmp_path, capsys):
    data = arrays(digits / "digits.npz")
    np.savez(tmp_path / "bad.npz", images=data["x_test"], labels=data["y_test"] + 40)
    args = (
        "--model",
        digits / "model.keras",
        "--dataset",
        tmp_path / "bad.npz",
        "--workdir",
        tmp_path / "w",
        "--split=all",
    )
    assert run("evaluate", *args) == 1
    assert "labels" in one_line(capsys.readouterr().err)


def test_an_image_size_that_is_not_the_models_is_one_line(digits, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", images=np.zeros((4, 32, 32, 3), np.uint8), labels=np.arange(4))
    args = (
        "--model",
        digits / "model.keras",
        "--dataset",
        tmp_path / "bad.npz",
        "--workdir",
        tmp_path / "w",
        "--split=all",
        "--image_size=32,32",
    )
    assert run("evaluate", *args) == 1
    assert "(32, 32)" in one_line(capsys.readouterr().err)


def test_a_workdir_that_cannot_be_written_is_one_line(digits, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert run("train", "--limit=50", "--epochs=1", "--workdir", tmp_path / "file") == 1
    assert "--workdir" in one_line(capsys.readouterr().err)
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=4", "--attacks=fgsm")
    assert run("evaluate", *args, "--eps=.1", "--workdir", tmp_path / "file" / "below") == 1
    one_line(capsys.readouterr().err)


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(digits, tmp_path, capsys, monkeypatch):
    real = os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=4", "--attacks=fgsm")
    assert run("evaluate", *args, "--eps=.1", "--workdir", tmp_path) == 1
    monkeypatch.setattr(os, "fsync", real)
    assert "No space left" in one_line(capsys.readouterr().err)
    assert not list(tmp_path.rglob("*.json")), list(tmp_path.rglob("*"))
    assert not list(tmp_path.rglob(".partial*"))


def test_a_begun_workdir_is_gone_on_with_unless_told_otherwise(tmp_path, capsys):
    argv = ("train", "--dataset=mnist5k", "--limit=40", "--architecture=softmax", "--epochs=1")
    assert run(*argv, "--noresume", "--workdir", tmp_path) == 0
    assert run(*argv, "--resume", "--workdir", tmp_path) == 0
    assert "resume" not in Results.read(tmp_path).config
    capsys.readouterr()
    assert run(*argv, "--noresume", "--workdir", tmp_path) == 1
    assert "--noresume" in one_line(capsys.readouterr().err)


def test_a_workdir_of_another_configuration_is_refused(tmp_path, capsys):
    assert run("train", "--limit=50", "--epochs=1", "--workdir", tmp_path) == 0
    capsys.readouterr()
    assert run("train", "--limit=60", "--epochs=1", "--workdir", tmp_path) == 1
    assert "limit=50 there, 60 now" in one_line(capsys.readouterr().err)


def test_help_is_quiet_and_names_every_flag():
    whole = process("--help")
    assert whole.returncode == 0
    assert whole.stderr == ""
    for name in main.COMMANDS:
        assert name in whole.stdout
    single = process("--help", module="tfinv_cli.evaluate")
    assert single.returncode == 0
    assert single.stderr == ""
    assert re.search(r"--eps +\(numbers.*default 0\.05,0\.1,0\.25\)", single.stdout)
    assert "required" in single.stdout


def test_help_of_an_experiment_has_its_own_flags_and_values(capsys):
    texts = []
    for experiment in ((), ("frontier",)):
        assert run("reproduce", *experiment, "--help") == 0
        texts.append(capsys.readouterr().out)
    whole, single = texts
    assert "--pgd_steps" in whole
    assert "--pgd_steps" not in single
    assert re.search(r"--robust_eps +\(numbers.*default 0\.05,0\.1,0\.2,0\.3\)", single)
    assert re.search(r"--robust_eps +\(numbers.*optional\)", whole)
    assert re.search(r"--workdir +\(path; required\)", single)


@pytest.mark.proof
def test_a_command_prints_none_of_tensorflows_chatter(digits, tmp_path):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=8")
    options = ("--eps=.1", "--attacks=fgsm", "--check_images=2", "--workdir", tmp_path)
    completed = process(*args, *options, module="tfinv_cli.evaluate")
    assert completed.returncode == 0
    assert completed.stderr == ""


@pytest.mark.proof
def test_a_killed_reproduction_goes_on_and_ends_with_the_same_rows(tmp_path):
    args = (
        "reproduce",
        "table1",
        "--dataset=mnist5k",
        "--architecture=mlp(units=32)",
        "--train_limit=128",
        "--limit=24",
        "--epochs=1",
        "--pgd_steps=3",
        "--eps=.05,.25",
    )
    assert run(*args, "--workdir", tmp_path / "whole") == 0
    folder = tmp_path / "killed"
    (stage,) = killed(folder, "stages/table1-positive-0.json", *args, "--workdir", folder)
    before = stage.stat().st_mtime_ns
    assert run(*args, "--workdir", folder) == 0
    assert stage.stat().st_mtime_ns == before
    assert timeless(tmp_path / "whole") == timeless(folder)
    expected = {"experiment", "attack", "eps", "accuracy", "n", "ci95", "seed", "poster"}
    for row in Results.read(tmp_path / "whole").rows_of("accuracy"):
        assert expected <= row.keys()
    failed = {c.name for c in Results.read(tmp_path / "whole").checks if c.passed is False}
    assert "perturbation-uses-budget (fgsm-artefact)" in failed
