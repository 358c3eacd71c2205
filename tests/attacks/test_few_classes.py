"""Every attack on models of two and four classes, where losses and targets change; the other contract tests have three."""

import functools

import keras
import numpy as np
import pytest

from attack_contract import SETTINGS, SHAPE, attack_class, make, start_images
from tfinv import catalogue
from tfinv.classifier import Classifier

COUNT = 12
# One unit has the logits (0, z); the others have a column a class.
MODELS = {"one unit": (1, "sigmoid"), "four": (4, "softmax")}
EACH = pytest.mark.parametrize("name", SETTINGS)
ON = pytest.mark.parametrize("kind", MODELS)
TARGETED = [name for name in SETTINGS if attack_class(name).TARGETED]
# Enough for the attacks that approach the boundary by labels alone.
EFFORT = {"hopskipjump": {"queries": 300}, "boundary": {"queries": 600}, "square": {"queries": 60}}


def test_every_attack_is_tried():
    assert set(SETTINGS) == set(catalogue.ATTACKS)


@functools.cache
def victim(kind):
    """Returns a classifier, images of all its classes, and their labels."""
    units, activation = MODELS[kind]
    keras.utils.set_random_seed(3)
    kernel = np.random.default_rng(2).normal(size=(36, units)).astype(np.float32)
    kernel -= kernel.mean(axis=0)  # the classes are about as frequent as each other
    kernel -= kernel.mean(axis=1, keepdims=True) if units > 1 else 0
    dense = keras.layers.Dense(units, activation=activation)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), dense])
    dense.set_weights([kernel, np.zeros(units, np.float32)])
    classifier = Classifier.from_keras(model)
    x = np.random.default_rng(1).uniform(0.2, 0.8, (400, *SHAPE)).astype(np.float32)
    predicted = classifier.predict(x).argmax(1)
    rows = np.concatenate(
        [np.flatnonzero(predicted == k)[: COUNT // classifier.num_classes] for k in range(max(2, units))]
    )
    return classifier, x[rows], predicted[rows]


@EACH
@ON
def test_an_attack_succeeds(name, kind):
    classifier, x, y = victim(kind)
    assert len(x) == COUNT
    result = make(name, classifier, 0.3, **EFFORT.get(name, {}))(classifier, x, y, seed=1)
    predicted = classifier.predict(result.images).argmax(1)
    np.testing.assert_array_equal(result.success, predicted != y)
    assert np.abs(result.images - x).max() <= 0.3 + 1e-6 or attack_class(name).NORMS[0] != "linf"
    # Random noise hardly moves a linear model.
    assert result.success.mean() >= (0.0 if name == "noise" else 0.9)


@pytest.mark.parametrize("name", TARGETED)
def test_a_targeted_attack_reaches_the_other_class(name):
    classifier, x, y = victim("one unit")
    targets = (y + 1) % classifier.num_classes
    attack = make(name, classifier, 0.3, targeted=True, **EFFORT.get(name, {}))
    result = attack(classifier, x, y, targets=targets, seed=1, **start_images(name, classifier, targets))
    predicted = classifier.predict(result.images).argmax(1)
    np.testing.assert_array_equal(result.success, predicted == targets)
    assert result.success.mean() >= (0.0 if name == "noise" else 0.7)


def test_one_unit_and_two_columns_are_the_same_to_an_attack():
    """The logits (0, z) and (-z / 2, z / 2) have one margin."""
    classifier, x, y = victim("one unit")
    halves = Classifier.from_callable(
        lambda v: classifier.logits(v) - classifier.logits(v)[:, 1:] / 2,
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )
    for name in ("pgd", "apgd", "apgdt", "fab", "deepfool"):
        pair = [make(name, model, 0.02)(model, x, y, seed=1).success for model in (classifier, halves)]
        np.testing.assert_array_equal(*pair)
        assert 0 < pair[0].mean() < 1
