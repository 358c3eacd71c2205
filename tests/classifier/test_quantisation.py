"""Quantised Keras models: their gradients, what is said of these, and copies that leave their layers alone."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from executed import executed_operations, filter_gradients
from tfinv.attacks import PGD
from tfinv.classifier import Classifier
from tfinv.classifier.gradients import input_gradient

L = keras.layers
SHAPE = (6, 6, 2)
IMAGES = np.random.default_rng(0).uniform(size=(40, *SHAPE)).astype(np.float32)
LABELS = np.arange(40) % 3
STRAIGHT = "straight-through estimates in 2 {} layers"
EXACT = "exact in 2 {} layers, whose weights alone are quantised"
LEFT = ", which the copy leaves as they are"


def network(mode=None, norm=True):
    keras.utils.set_random_seed(0)
    body = [
        L.Conv2D(4, 3, use_bias=False),
        *([L.BatchNormalization()] if norm else []),
        L.Activation("tanh"),
        L.Flatten(),
    ]
    model = keras.Sequential([keras.Input(SHAPE), *body, L.Dense(8, "tanh"), L.Dense(3)])
    if mode:
        with warnings.catch_warnings():  # of the layers that can't be quantised
            warnings.simplefilter("ignore", UserWarning)
            model.quantize(mode)
    return model


def gradient(function):
    return input_gradient(lambda x: function(x)[:, 0], tf.constant(IMAGES))[1].numpy()


@pytest.mark.parametrize(("mode", "phrase"), [("int8", STRAIGHT), ("float8", STRAIGHT), ("int4", EXACT)])
def test_copies_leave_quantised_layers_alone_and_say_so(mode, phrase):
    classifier, text = Classifier.from_keras(network(mode)), phrase.format(mode)
    assert classifier.differentiable
    assert classifier.gradient_source == f"the model itself; {text}"
    folded, half = classifier.with_gradients("folded"), classifier.with_gradients("bfloat16")
    assert folded.gradient_source == f"batch norm folded; {text}{LEFT}"
    assert half.gradient_source == f"batch norm folded, bfloat16; {text}{LEFT}"
    assert half.with_gradients("folded").gradient_source == folded.gradient_source
    logits = classifier.logits(IMAGES).numpy()
    # A rounded input may fall to the next step where the copy's differs in its last digit.
    np.testing.assert_allclose(folded.gradient_logits(IMAGES), logits, atol=0.02 * np.ptp(logits))
    assert np.median(np.abs(folded.gradient_logits(IMAGES) - logits)) < 1e-5
    exact, copied = gradient(classifier.logits), gradient(folded.gradient_logits)
    np.testing.assert_allclose(copied, exact, atol=0.02 * np.abs(exact).max())
    assert np.sum(gradient(half.gradient_logits) * exact) > 0.99 * np.linalg.norm(exact) ** 2 * 0.97
    kernels = {v.path: v.dtype for v in network(mode).variables if "kernel" in v.path and "scale" not in v.path}
    assert "int8" in kernels.values() or mode == "float8"


def test_without_anything_to_copy_the_model_itself_says_so_too():
    classifier = Classifier.from_keras(network("int8", norm=False))
    assert classifier.accelerated().gradient_source == f"the model itself; {STRAIGHT.format('int8')}"
    assert Classifier.from_keras(network()).gradient_source == "the model itself"


def test_straight_through_estimates_are_the_gradients_of_the_rounded_weights():
    quantised, twin = network("int8"), network()
    twin.set_weights(
        [
            value
            for layer in quantised.layers
            for value in ([np.asarray(layer.kernel) / np.asarray(layer.kernel_scale), layer.bias] if isinstance(layer, L.Dense)
                          else layer.get_weights())
        ]
    )  # fmt: skip
    classifier, other = Classifier.from_keras(quantised), Classifier.from_keras(twin)
    estimate, exact = gradient(classifier.logits), gradient(other.logits)
    np.testing.assert_allclose(estimate, exact, atol=0.05 * np.abs(exact).max())
    assert np.abs(estimate - exact).max() > 0  # the inputs of its layers are rounded


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_attacks_follow_them(mode):
    """As deep as on the network that was quantised, with the default loss, whose scale does not matter."""
    plain, quantised = Classifier.from_keras(network()), Classifier.from_keras(network(mode))
    labels = plain.predict(IMAGES).argmax(1)
    attack = PGD(eps=0.1, steps=5)
    with executed_operations() as operations:
        result = attack(quantised, IMAGES, labels)
    assert filter_gradients(operations) == []
    robust = [np.mean(c.predict(attack(c, IMAGES, labels).images).argmax(1) == labels) for c in (plain, quantised)]
    assert robust[1] <= robust[0] + 0.1
    assert robust[1] < np.mean(quantised.predict(IMAGES).argmax(1) == labels)
    assert result.images.shape == IMAGES.shape
