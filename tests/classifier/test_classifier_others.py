"""Classifiers of functions and black boxes; models and functions that are refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import FACTS, IMAGES, LOG, SHAPE, Subclassed, assert_same_logits, body, dense, linear, sequential
from tfinv.attacks import attack
from tfinv.classifier import Classifier
from tfinv.errors import UserError


def two_outputs():
    model = sequential(dense())
    return keras.Model(model.inputs, [model.outputs[0], model.outputs[0]])


def two_inputs():
    a, b = keras.Input(SHAPE), keras.Input(SHAPE)
    return keras.Model([a, b], dense()(keras.layers.Flatten()(keras.layers.Add()([a, b]))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sequential(keras.layers.Dense(1, activation="softmax")), "Train it with a sigmoid"),
        (two_outputs, "one output, or the name of the one that classifies. Received: 2"),
        (two_inputs, "one input, an image. Received: one with 2"),
        (lambda: keras.Sequential([keras.Input((5,)), dense()]), "a model of images"),
        (lambda: keras.Sequential([keras.Input((None, None, 1)), *body(), dense()]), "all but the batch fixed"),
        (lambda: keras.Sequential([keras.Input(SHAPE), dense()]), "one row of scores an image"),
        (lambda: keras.Sequential([keras.Input((2, 6, 6, 1)), keras.layers.Flatten(), dense()]), "a model of images"),
        (lambda: Subclassed(None), "a built model"),
        (lambda: keras.Sequential([dense()]), "a built model"),
        (lambda: np.argmax, "a Keras model"),
    ],
)
def test_refused_models(make, message):
    with pytest.raises(UserError, match=message):
        Classifier.from_keras(make())


def test_callable():
    classifier = Classifier.from_callable(linear, **FACTS, outputs="logits", features=lambda x: x)
    np.testing.assert_allclose(classifier.predict(IMAGES, 4), linear(IMAGES), rtol=1e-4, atol=1e-5)
    assert classifier.differentiable
    assert classifier.features(IMAGES).shape == (11, 2)
    probabilities = Classifier.from_callable(lambda x: tf.nn.softmax(linear(x)), **FACTS, outputs="probabilities")
    assert probabilities.logits_source == LOG
    assert_same_logits(probabilities.predict(IMAGES), linear(IMAGES))


def test_underflown_probabilities_stay_finite():
    def certain(x):
        return tf.nn.softmax(1e4 * linear(x))

    classifier = Classifier.from_callable(certain, **FACTS, outputs="probabilities")
    assert np.isfinite(classifier.predict(IMAGES)).all()


def test_predict_function():
    classifier = Classifier.from_predict(lambda x: np.asarray(linear(x), np.float64), **FACTS, outputs="logits")
    assert not classifier.differentiable
    np.testing.assert_allclose(classifier.predict(IMAGES, 4), linear(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": None}, "Say what the function gives"),
        ({"outputs": "logits", "num_classes": 5}, "outputs for 5 classes. Received: 4 columns"),
        ({"outputs": "probabilities"}, "sum to one"),
        ({"outputs": "logits", "input_shape": (6, 6)}, "fixed height"),
        ({"outputs": "logits", "input_shape": (5, 6, 2)}, "Received: InvalidArgumentError"),
        ({"outputs": "logits", "bounds": (1, 0)}, "the lower one first"),
        ({"outputs": "logits", "bounds": (0, float("inf"))}, "the lower one first"),
    ],
)
def test_refused_callables(arguments, message):
    with pytest.raises(UserError, match=message):
        Classifier.from_callable(linear, **(FACTS | arguments))


def test_callables_without_gradient():
    def stopped(x):
        return tf.stop_gradient(linear(x))

    with pytest.raises(UserError, match="differentiable=False"):
        Classifier.from_callable(stopped, **FACTS, outputs="logits")
    assert not Classifier.from_callable(stopped, **FACTS, outputs="logits", differentiable=False).differentiable
    with pytest.raises(UserError, match="num_classes"):
        Classifier.from_predict(lambda x: np.zeros((len(x), 3)), **FACTS, outputs="logits")


def test_a_function_may_branch_on_tensors():
    def branching(x):
        if tf.reduce_mean(x) > 0.5:
            x = 3.0 * x
        return tf.reshape(x, [-1, 4])

    classifier = Classifier.from_callable(branching, input_shape=(2, 2, 1), num_classes=4, outputs="logits")
    images = np.full((1, 2, 2, 1), 0.6, np.float32) + np.float32([0.2, 0, 0, 0]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(classifier.predict(images), branching(tf.constant(images)), rtol=1e-6)
    result = attack("fgsm(eps=.3)")(classifier, images, np.array([0]), seed=0)
    assert result.images[0, 0, 0, 0] == pytest.approx(0.5)
    assert (result.images.reshape(4)[1:] > 0.6).all()
