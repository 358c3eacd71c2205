"""`tfinv attack` and `evaluate` of a deployed model: the refusal whose advice works, and --surrogate."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from commands import arrays, one_line, process, run, timeless
from tests.importing.zoo.forms_litert import interpreted
from tfinv.reporting import Results


@pytest.fixture(scope="module")
def model(digits):
    """An int8 .tflite file of the digits' network."""
    network = keras.Sequential([keras.models.load_model(digits / "model.keras"), keras.layers.Softmax()])
    x = arrays(digits / "digits.npz")["x_train"][:100] / np.float32(255)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = digits / "int8.tflite"
    with warnings.catch_warnings(action="ignore"):  # about statistics that converters needed once
        path.write_bytes(converter.convert())
    return path


def test_the_default_attacks_are_refused_and_the_advice_works(model, digits, tmp_path, capsys, few_checks):
    flags = ("--model", model, "--dataset", digits / "digits.npz", "--limit=1", "--eps=.4", "--workdir", tmp_path / "w")
    assert run("evaluate", *flags) == 1
    text = one_line(capsys.readouterr().err)
    assert "a .tflite file, run by LiteRT" in text
    advice = re.search(r"--attacks=\S+", text)[0]
    assert run("evaluate", *flags, advice) == 0  # into the same workdir
    rows = Results.read(tmp_path / "w").rows
    assert [row["attack"] for row in rows] == ["none", "square", "hopskipjump", "noise"]
    surrogate = re.search(r"--surrogate=", text)[0] + str(digits / "model.keras")
    assert run("evaluate", *flags[:-1], tmp_path / "s", "--attacks=fgsm", surrogate) == 0


def test_a_surrogate_gives_gradients_and_its_own_accuracy(model, digits, tmp_path):
    data = (
        "--dataset",
        digits / "digits.npz",
        "--limit=20",
        "--eps=0.05,0.1",
        "--curve=independent",
        "--attacks=pgd(steps=3),noise",
    )
    surrogate = digits / "model.keras"
    assert run("attack", "--model", model, "--surrogate", surrogate, *data, "--workdir", tmp_path / "both") == 0
    results = Results.read(tmp_path / "both")
    accuracy = {(row["experiment"], row["attack"], row["eps"]): row["accuracy"] for row in results.rows}
    transfer = f"transfer(surrogate='{surrogate}',attack='pgd(steps=3)')"
    assert {key[:2] for key in accuracy} == {
        *(("model", name) for name in ("none", "noise", transfer)),
        ("surrogate", "none"),
        ("surrogate", "pgd(steps=3)"),
    }
    # Judged by the file's own runtime, on the images that were kept.
    labels = np.load(tmp_path / "both" / "adversarial" / "labels.npy")
    paths = sorted((tmp_path / "both" / "adversarial").glob("transfer*.npy"))
    predictions = [interpreted(model.read_bytes(), np.load(path)).argmax(1) for path in paths]
    measured = sorted(np.mean(classes == labels) for classes in predictions)
    assert measured == sorted(accuracy["model", transfer, eps] for eps in (0.05, 0.1))
    # As if it were attacked alone.
    assert run("attack", "--model", surrogate, *data, "--workdir", tmp_path / "alone") == 0
    for row in Results.read(tmp_path / "alone").rows:
        if row["attack"] != "noise":
            assert accuracy["surrogate", row["attack"], row["eps"]] == row["accuracy"]
    (check,) = [check for check in results.checks if check.name == "surrogate-agrees"]
    assert check.passed
    pair = f"{100 * accuracy['surrogate', 'pgd(steps=3)', 0.1]:.2f} % | {100 * accuracy['model', transfer, 0.1]:.2f} %"
    assert f"pgd(steps=3) at eps 0.1 {pair}" in check.evidence


@pytest.mark.proof
@pytest.mark.parametrize("command", ["attack", "evaluate"])
def test_processes_share_the_attacks_through_a_surrogate(command, model, digits, tmp_path):
    """In chunks of 16 images: the same rows, the surrogate's too, and the same adversarial images."""
    flags = ["--model", model, "--surrogate", digits / "model.keras", "--dataset", digits / "digits.npz", "--limit=40"]
    flags += ["--batch_size=4", "--eps=.05,.1", "--attacks=pgd(steps=3),noise"]
    flags += ["--check_images=2"] if command == "evaluate" else []
    for name, workers in (("alone", 1), ("shared", 2)):
        done = process(command, *flags, f"--workers={workers}", "--workdir", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert ("tasks for 2 workers" in done.stdout) == (workers == 2)
    alone, shared = timeless(tmp_path / "alone"), timeless(tmp_path / "shared")
    assert {row["experiment"] for row in alone} == {"model", "surrogate"}
    assert shared == alone
    checks = [Results.read(tmp_path / name).checks for name in ("alone", "shared")]
    assert checks[0] == checks[1]
    for path in (tmp_path / "alone" / "adversarial").glob("*.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / "shared" / "adversarial" / path.name), np.load(path))


def test_a_surrogate_that_decides_otherwise_fails_a_check(model, digits, tmp_path):
    other = keras.models.load_model(digits / "model.keras")
    other.set_weights([-w for w in other.get_weights()])
    other.save(tmp_path / "other.keras")
    flags = ("--dataset", digits / "digits.npz", "--limit=20", "--eps=0.1", "--attacks=fgsm", "--save=none")
    assert (
        run("attack", "--model", model, "--surrogate", tmp_path / "other.keras", *flags, "--workdir", tmp_path / "w")
        == 0
    )
    (check,) = [check for check in Results.read(tmp_path / "w").checks if check.name == "surrogate-agrees"]
    assert check.passed is False


def test_a_surrogate_that_is_not_there_is_named(model, digits, tmp_path, capsys):
    flags = ("--dataset", digits / "digits.npz", "--attacks=fgsm", "--workdir", tmp_path / "w")
    assert run("attack", "--model", model, "--surrogate=nowhere.keras", *flags) == 1
    assert one_line(capsys.readouterr().err).endswith("Received: 'nowhere.keras'. Change --surrogate.")


def test_a_surrogate_without_an_attack_for_it_is_a_mistake(model, digits, tmp_path, capsys):
    flags = ("--dataset", digits / "digits.npz", "--attacks=square,noise", "--workdir", tmp_path)
    assert run("attack", "--model", model, "--surrogate", digits / "model.keras", *flags) == 2
    assert "Expected an attack that needs gradients, such as pgd, for --surrogate." in one_line(capsys.readouterr().err)
