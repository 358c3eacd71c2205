"""Gradients that are, and are not, those of the model."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.evaluation.robustness.gradient_check import gradient_matches_differences

SHAPE = (4, 4, 1)


def check_gradient(handmade, classifier):
    x, y = handmade.data()
    return gradient_matches_differences(classifier, classifier.from_unit(x[:60]), y[:60])


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_linear_model_agrees_everywhere(handmade, scale, bounds):
    check = check_gradient(handmade, handmade.linear(scale, bounds))
    assert check.passed is True
    assert "at 60 of 60 images, at 100.00 % of them" in check.evidence


def rounded(levels):
    """Straight through: the gradient of the identity."""
    return lambda x: x + tf.stop_gradient(tf.round(x * levels) / levels - x)


def scrambled(x):
    signs = tf.constant(np.random.default_rng(0).choice([-1.0, 1.0], SHAPE), tf.float32)
    return x * signs + tf.stop_gradient(x - x * signs)


def half_stopped(x):
    """The gradient of the left half only."""
    left = tf.constant(np.arange(4)[:, None] < 2, tf.float32)
    return x * left + tf.stop_gradient(x * (1 - left))


@pytest.mark.parametrize(
    "front", ["backwards", "quantised", scrambled, half_stopped, rounded(3), lambda x: 3 * x - 2 * tf.stop_gradient(x)]
)
def test_a_wrong_gradient_is_caught(handmade, front):
    front = getattr(handmade, front) if isinstance(front, str) else front
    assert check_gradient(handmade, handmade.linear(front=front)).passed is False


def test_straight_through_eight_bits_is_right_enough(handmade):
    """At the scale of a budget the staircase rises as the identity does."""
    assert check_gradient(handmade, handmade.linear(front=rounded(255))).passed is True


def test_a_gradient_copy_that_is_wrong_is_caught(handmade):
    honest = handmade.linear()
    wrong = dataclasses.replace(honest, _gradient_logits=lambda x: honest.logits(x)[:, ::-1])
    assert check_gradient(handmade, wrong).passed is False


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_kinks_and_rounding_are_no_sign(policy):
    """Flat areas, where all of a pool is equal, and half precision."""
    keras.mixed_precision.set_global_policy(policy)
    try:
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.MaxPooling2D(), keras.layers.Flatten()]
        model = keras.Sequential([keras.Input((12, 12, 1)), *layers, keras.layers.Dense(10, dtype="float32")])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    x = np.zeros((40, 12, 12, 1), np.float32)
    x[:, 3:8, 3:8] = np.round(np.random.default_rng(0).uniform(size=(40, 5, 5, 1)) * 255) / 255
    classifier = Classifier.from_keras(model)
    check = gradient_matches_differences(classifier, x, classifier.predict(x).argmax(1))
    assert check.passed is True, check.evidence


def test_where_nothing_changes_there_is_nothing_to_judge(handmade):
    check = check_gradient(handmade, handmade.linear(front=lambda x: 0.0 * x + 0.7))
    assert check.passed is None
    assert check.evidence == "the margin changes by more than rounding at 0 of 60 images"
    assert check_gradient(handmade, handmade.black_box()).passed is None
