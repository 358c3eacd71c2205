"""The checks of clean accuracy in the commands: what they advise is done, and the accuracy is then the right one."""

import re

import keras
import numpy as np
import pytest

from commands import arrays, run
from tfinv.classifier import Classifier
from tfinv.reporting import Results

QUICK = ("--eps=0.1", "--attacks=fgsm")


def clean_accuracy(results):
    return next(row for row in results.rows if row["attack"] == "none")["accuracy"]


def failed(results):
    return {c.name: c for c in results.checks if c.passed is False}


def saved_behind(digits, folder, *layers):
    """The digits' model, which gets its images through these layers."""
    inner = keras.models.load_model(digits / "model.keras")
    keras.Sequential([keras.Input((28, 28, 1)), *layers, inner]).save(folder / "m.keras")
    return folder / "m.keras"


@pytest.mark.parametrize(
    ("scale", "offset", "flags"),
    [(0.5, 0.5, "--bounds=-1,1"), (-1 / 255, 1.0, "--bounds=0,255 --preprocessing=invert")],
)
def test_the_flags_that_are_named_give_the_accuracy(digits, tmp_path, capsys, scale, offset, flags):
    """With --limit=20, of which nobody could tell."""
    model = saved_behind(digits, tmp_path, keras.layers.Rescaling(scale, offset=offset))
    args = ("--model", model, "--dataset", digits / "digits.npz", *QUICK, "--limit=20")
    assert run("attack", *args, "--workdir", tmp_path / "wrong") == 0
    check = failed(Results.read(tmp_path / "wrong"))["preprocessing-fits"]
    assert "of 60 images" in check.evidence
    advised = check.evidence.rpartition("Pass ")[2]
    assert advised == flags
    assert f"preprocessing-fits fails: {check.evidence}" in capsys.readouterr().out
    assert run("attack", *args, *advised.split(), "--workdir", tmp_path / "followed") == 0
    followed = Results.read(tmp_path / "followed")
    assert not failed(followed)
    data = arrays(digits / "digits.npz")
    right = Classifier.from_keras(keras.models.load_model(digits / "model.keras"))
    assert clean_accuracy(followed) == right.accuracy(data["x_test"][:20] / np.float32(255), data["y_test"][:20])


def test_a_model_without_skill_does_not_pass_in_silence(digits, tmp_path):
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(12)])
    model.save(tmp_path / "m.keras")
    args = ("--model", tmp_path / "m.keras", "--dataset", digits / "digits.npz", *QUICK)
    assert run("attack", *args, "--workdir", tmp_path / "a") == 0
    checks = failed(Results.read(tmp_path / "a"))
    assert checks.keys() >= {"clean-accuracy-beats-guessing", "class-counts-agree"}
    assert "the model has 12 classes, the data set 10" in checks["class-counts-agree"].evidence


def test_a_black_box_attack_alone_is_said_to_be_weak(digits, tmp_path):
    args = ("--model", digits / "model.keras", "--dataset", digits / "digits.npz", "--eps=0.1")
    for attacks, passed in (("square(queries=10)", False), ("square(queries=10),fgsm", True)):
        folder = tmp_path / str(passed)
        assert run("attack", *args, f"--attacks={attacks}", "--limit=10", "--workdir", folder) == 0
        check = next(c for c in Results.read(folder).checks if c.name == "not-only-black-box")
        assert check.passed is passed


def test_the_order_of_the_classes_that_is_named_gives_the_accuracy(digits, tmp_path):
    """A model that was trained with the classes in another order than the data set has them."""
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    data = arrays(digits / "digits.npz")
    np.savez(tmp_path / "named.npz", **data, class_names=np.array(names))
    order = np.argsort(names)
    inner = keras.models.load_model(digits / "model.keras")
    x = keras.Input((28, 28, 1))
    keras.Model(x, keras.ops.take(inner(x), order, axis=-1)).save(tmp_path / "m.keras")
    args = ("--model", tmp_path / "m.keras", "--dataset", tmp_path / "named.npz", *QUICK)
    assert run("attack", *args, "--workdir", tmp_path / "wrong") == 0
    check = failed(Results.read(tmp_path / "wrong"))["class-order-fits"]
    assert "in the order of the alphabet" in check.evidence
    (advised,) = re.findall(r"--class_names=\S+", check.evidence)
    assert run("attack", *args, advised, "--workdir", tmp_path / "followed") == 0
    followed = Results.read(tmp_path / "followed")
    assert "class-order-fits" not in failed(followed)
    right = keras.models.load_model(digits / "model.keras").predict(data["x_test"] / np.float32(255), verbose=0)
    assert clean_accuracy(followed) == np.mean(right.argmax(1) == data["y_test"])
