"""The benchmark of training steps: it runs, counts the passes of each recipe, and says where the limit is broken."""

import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import training_step
from tfinv import models
from tfinv.datasets import Dataset
from tfinv.training.base import Plan
from tfinv.training.defences import defence


@pytest.mark.parametrize(
    ("spec", "consists_of"),
    [
        ("adversarial(steps=7)", "7 to images, 1 to weights"),
        ("fast", "1 to images, 1 to weights"),
        ("free(replays=4)", "4 to weights and images"),
        ("trades(steps=3)", "1 forward, 3 to images, 2 to weights"),
        ("mart(steps=3)", "3 to images, 2 to weights"),
    ],
)
def test_the_passes_of_a_step(spec, consists_of):
    assert str(training_step.passes(defence(spec))) == consists_of


class Counting(keras.layers.Layer):
    """Notes in which mode it is called."""

    def __init__(self, note):
        super().__init__()
        self.note = note

    def call(self, x, training=False):
        self.note(training)
        return x


@pytest.fixture
def eager():
    """Each call of a function runs its Python, where otherwise only its tracing does."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.proof
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "spec",
    ["none", "adversarial(steps=3)", "fast", "nfgsm", "free(replays=3)", "trades(steps=2)", "mart(steps=4)"],
)
def test_a_step_makes_these_passes_and_no_other(spec, norm):
    recipe = defence(spec)
    if spec != "none":
        recipe = dataclasses.replace(recipe, norm=norm)
    calls: list[bool] = []
    network = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            Counting(calls.append),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="encoding"),
            keras.layers.Dense(2),
        ]
    )
    data = Dataset("noise", "train", np.full((4, 2, 2, 1), 0.5, np.float32), np.array([0, 1, 0, 1]), ("a", "b"))
    model = recipe.training(Plan(network, data, 1, 4))
    model.compile(keras.optimizers.SGD(0.1))
    calls.clear()
    model.train_step((tf.constant(data.images), tf.constant(data.labels)))
    made = training_step.passes(recipe) if spec != "none" else training_step.Passes()
    assert calls.count(False) == made.forward + made.images
    assert calls.count(True) == made.weights * made.batches


def test_a_recipe_with_a_decoder_is_refused():
    with pytest.raises(SystemExit, match=r"without a decoder\. Received: free\+reversal"):
        training_step.passes(defence("free+reversal"))


@pytest.mark.proof
def test_steps_and_their_passes_are_measured(monkeypatch, capsys):
    monkeypatch.setattr(
        training_step, "_NETS", {"small": (lambda shape, n: models.cnn(shape, n, (4,), 8), (12, 12, 1))}
    )
    rows = training_step.measure(
        ("fast", "trades(steps=2)", "free(replays=2)"), batch=4, steps=2, repetitions=3, seed=0, compilations=2
    )
    assert [(r["network"], r["recipe"]) for r in rows] == [
        ("small", s) for s in ("fast", "trades(steps=2)", "free(replays=2)")
    ]
    for row in rows:
        assert len(row["step"]) == len(row["passes"]) == 6
        assert min(row["step"] + row["passes"]) > 0
    assert "small, fast: passes: " in capsys.readouterr().out


def test_the_page_says_where_the_limit_is_broken():
    row = {"network": "n", "consists_of": "1 to weights", "passes": [0.1, 0.2, 0.1]}
    within, beyond = (
        row | {"recipe": "a", "step": [0.11, 0.21, 0.5]},
        row | {"recipe": "b", "step": [0.112, 0.224, 0.1]},
    )
    page = training_step.page([within, beyond], {"machine": "m", "moment": "t"}, 128)
    assert "on 128 images" in page
    cells = [re.split(r" *\| *", line.strip("| ")) for line in page.splitlines() if line.startswith("| n |")]
    assert [(c[1], c[5], c[6]) for c in cells] == [
        ("`a`", "1.10 (1.05-5.00)", "yes"),
        ("`b`", "1.12 (1.00-1.12)", "**no**"),
    ]
