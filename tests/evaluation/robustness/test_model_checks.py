"""Rules that a classifier keeps or breaks by itself."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.evaluation.robustness import model_checks

SHAPE = (4, 4, 1)


def test_input_range(handmade):
    classifier = handmade.linear(bounds=(0.0, 255.0))
    x = handmade.data()[0]
    assert model_checks.input_range(classifier, 255 * x).passed is True
    check = model_checks.input_range(classifier, x)
    assert check.passed is False
    assert check.evidence == "float32 from 0 to 1 in bounds 0 to 255"
    assert model_checks.input_range(classifier, (255 * x).astype(np.uint8)).passed is False


def probabilities(handmade, scale):
    logits = handmade.linear(scale).logits
    return Classifier.from_callable(
        lambda x: tf.nn.softmax(logits(x)), input_shape=SHAPE, num_classes=2, outputs="probabilities"
    )


def test_logits_are_known(handmade):
    x = handmade.data()[0]
    assert model_checks.logits_are_known(handmade.linear(1000.0), x).passed is True
    # Of probabilities it depends on how many are rounded to 1: those 17 and more apart.
    fine = model_checks.logits_are_known(probabilities(handmade, 1.0), x)
    assert fine.passed is True
    assert "at 0.00 % of 400 images a probability is rounded to 1" in fine.evidence
    check = model_checks.logits_are_known(probabilities(handmade, 1000.0), x)
    assert check.passed is False
    assert check.evidence.startswith("log of the probabilities")


@pytest.mark.parametrize("squash", [tf.sigmoid, tf.nn.softmax])
def test_what_lies_between_0_and_1_is_no_logit(handmade, squash):
    model = handmade.linear(1.0)
    squashed = Classifier.from_callable(
        lambda x: squash(model.logits(x)),
        input_shape=model.input_shape,
        num_classes=model.num_classes,
        bounds=model.bounds,
        outputs="logits",
    )
    check = model_checks.logits_are_known(squashed, handmade.data()[0])
    assert check.passed is False
    assert "all of them lie between 0 and 1" in check.evidence


def test_a_softmax_that_was_cut_off_is_no_matter(handmade):
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    model.layers[-1].kernel.assign(1000 * model.layers[-1].kernel)
    check = model_checks.logits_are_known(Classifier.from_keras(model), handmade.data()[0])
    assert check.passed is True
    assert check.evidence == "softmax of the last layer cut off"


def test_labels_only_are_not_judged(handmade):
    labels = Classifier.from_predict(
        lambda x: (x.mean((1, 2, 3)) > 0.5).astype(int), input_shape=SHAPE, num_classes=2, outputs="labels"
    )
    assert model_checks.logits_are_known(labels, handmade.data()[0]).passed is None


DRAWS = itertools.count()
FRONTS = {
    "honest": lambda x: x,
    "constant noise": lambda x: x + tf.random.stateless_normal(SHAPE, [1, 2]),
    "noise": lambda x: x + 0.3 * tf.random.normal(tf.shape(x)),
    "noise by place": lambda x: x + 0.3 * tf.random.stateless_normal(tf.shape(x), [1, 2]),
    "sees the batch": lambda x: x - tf.reduce_mean(x, 0) + 0.5,
    "drawn while tracing": lambda x: x + np.float32(0.1 * next(DRAWS)),
}


@pytest.mark.parametrize(
    ("front", "failing"),
    [
        ("honest", []),
        ("constant noise", []),
        ("noise", ["again", "in other batches", "outside a graph"]),
        ("noise by place", ["in other batches"]),
        ("sees the batch", ["in other batches"]),
        ("drawn while tracing", ["outside a graph"]),
    ],
)
def test_predictions_are_deterministic(handmade, front, failing):
    check = model_checks.predictions_are_deterministic(handmade.linear(front=FRONTS[front]), handmade.data()[0][:30])
    assert check.passed is (not failing)
    assert check.evidence.startswith("30 images: ")
    for how in failing:
        assert how in check.evidence


def test_rounding_is_not_randomness(handmade):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Flatten(), keras.layers.Dense(64, "relu"), keras.layers.Dense(5)]
        model = keras.Sequential([keras.Input(SHAPE), *layers])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert (
        model_checks.predictions_are_deterministic(Classifier.from_keras(model), handmade.data()[0][:30]).passed is True
    )


def test_one_image_is_enough(handmade):
    assert model_checks.predictions_are_deterministic(handmade.linear(), handmade.data()[0][:1]).passed is True
