"""Every inversion of models of two classes, in one unit, and of three, with a sigmoid each."""

import functools

import keras
import numpy as np
import pytest

from tests.inversion.test_contract import SETTINGS, SHAPE
from tfinv import catalogue
from tfinv.classifier import Classifier
from tfinv.inversion import METHODS, Knowledge, invert

MODELS = {"one unit": (1, "sigmoid"), "three": (3, "sigmoid")}


def test_every_inversion_is_tried():
    assert set(SETTINGS) == set(catalogue.INVERSIONS)


@functools.cache
def victim(kind):
    units, activation = MODELS[kind]
    keras.utils.set_random_seed(4)
    kernel = keras.initializers.RandomNormal(stddev=2.0, seed=5)
    layers = [
        keras.Input(SHAPE),
        keras.layers.Conv2D(3, 3, activation="tanh"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation=activation, kernel_initializer=kernel),
    ]
    return Classifier.from_keras(keras.Sequential(layers))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", MODELS)
def test_an_inversion_of_every_class(name, kind):
    classifier = victim(kind)
    classes = classifier.num_classes
    images = np.random.default_rng(6).uniform(size=(20, *SHAPE))
    knowledge = Knowledge(images, np.arange(20) % classes, begin=images[:2], source="images")
    method = METHODS[name](start="auxiliary", **SETTINGS[name])
    result = invert(classifier, range(classes), method, samples=2, knowledge=knowledge, seed=0)
    np.testing.assert_array_equal(result.labels, np.repeat(np.arange(classes), 2))
    assert result.images.shape == (2 * classes, *SHAPE)
    assert np.isfinite(result.images).all()
    logits = classifier.predict(result.images).astype(np.float64)
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.confidence, likelihood[np.arange(2 * classes), result.labels], rtol=1e-4)
    if METHODS[name].ACCESS == "gradients" and not METHODS[name].COUPLED:
        assert (result.cost < np.inf).all()
