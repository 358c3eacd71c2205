"""Models of one unit: logits (0, z), thresholds, and attacks that find the optimum, which is known of a linear model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import PGD, AutoAttack
from tfinv.classifier import Classifier, heads
from tfinv.errors import UserError
from tfinv.evaluation.robustness.model_checks import logits_are_known

SHAPE = (3, 4, 1)
EPS = 0.05
WEIGHTS = np.random.default_rng(5).normal(size=12).astype(np.float32)
# Inside by more than eps, so that the bounds never limit the attack.
IMAGES = np.random.default_rng(0).uniform(2 * EPS, 1 - 2 * EPS, (200, *SHAPE)).astype(np.float32)
BIAS = -float(np.median(IMAGES.reshape(200, -1) @ WEIGHTS))


def unit(activation=None, scale=1.0, *last):
    layer = keras.layers.Dense(1, activation=activation)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), layer, *last])
    layer.set_weights([scale * WEIGHTS[:, None], np.float32([scale * BIAS])])
    return model


def margins():
    return IMAGES.reshape(200, -1).astype(np.float64) @ WEIGHTS + BIAS


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", None])
@pytest.mark.parametrize(
    "attack", [PGD(eps=EPS, steps=10, step_size=EPS / 4), AutoAttack(eps=EPS, steps=10, queries=50)]
)
def test_attacks_find_the_optimum_of_a_confident_linear_unit(activation, attack):
    classifier = Classifier.from_keras(unit(activation, scale=300.0))
    labels = (margins() > 0).astype(int)
    assert classifier.accuracy(IMAGES, labels) == 1
    distances = np.abs(margins()) / np.abs(WEIGHTS).sum()
    clear = np.abs(distances - EPS) > 1e-5
    assert clear.sum() > 195
    withstands = distances > EPS
    assert 0.2 < withstands.mean() < 0.8
    result = attack(classifier, IMAGES, labels, seed=0)
    np.testing.assert_array_equal(result.success[clear], ~withstands[clear])


def test_sources_and_notes():
    classifier = Classifier.from_keras(unit("sigmoid"))
    assert classifier.logits_source == "sigmoid of the last layer cut off: logits (0, z)"
    assert classifier.notes == ("one unit: class 1 where its probability is above 0.5",)
    assert "notes=" in repr(classifier)
    assert Classifier.from_keras(unit()).logits_source == "linear head of one unit: logits (0, z)"
    written_out = unit(None, 1.0, keras.layers.Activation(keras.activations.hard_sigmoid))
    assert Classifier.from_keras(written_out).logits_source == heads.binary.SATURATES


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "hard_sigmoid"])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.95])
def test_a_threshold_decides(activation, threshold):
    model = unit(activation, scale=5.0)
    outputs = model.predict(IMAGES, verbose=0)[:, 0].astype(np.float64)
    probabilities = (1 + outputs) / 2 if activation == "tanh" else outputs
    classifier = Classifier.from_keras(model, threshold=threshold)
    predictions = classifier.predict(IMAGES).argmax(axis=1)
    clear = np.abs(probabilities - threshold) > 1e-6
    np.testing.assert_array_equal(predictions[clear], (probabilities > threshold)[clear])
    assert 0 < predictions.mean() < 1


def test_thresholds_are_of_one_unit_and_between_0_and_1():
    for threshold in (0, 1, -0.5, float("nan")):
        with pytest.raises(UserError, match="between 0 and 1"):
            Classifier.from_keras(unit("sigmoid"), threshold=threshold)
    two = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    with pytest.raises(UserError, match="Leave out --threshold"):
        Classifier.from_keras(two, threshold=0.4)


def sums(x):
    return tf.reshape(x, (-1, 12)) @ WEIGHTS[:, None] + BIAS


FACTS = {"input_shape": SHAPE, "num_classes": 2}


@pytest.mark.parametrize("form", ["column", "vector"])
def test_functions_of_one_unit(form):
    def function(x):
        z = tf.sigmoid(sums(x))
        return z if form == "column" else z[:, 0]

    classifier = Classifier.from_callable(function, **FACTS, outputs="probabilities")
    assert classifier.num_classes == 2
    logits = classifier.predict(IMAGES)
    np.testing.assert_array_equal(logits[:, 0], 0)
    np.testing.assert_allclose(logits[:, 1], margins(), rtol=1e-3, atol=1e-3)
    black_box = Classifier.from_predict(lambda x: function(tf.constant(x)).numpy(), **FACTS, outputs="probabilities")
    np.testing.assert_allclose(black_box.predict(IMAGES), logits, rtol=1e-3, atol=1e-3)


def test_a_saturated_probability_has_finite_logits_and_is_told():
    def saturated(x):
        return tf.sigmoid(100.0 * sums(x))

    classifier = Classifier.from_callable(saturated, **FACTS, outputs="probabilities")
    logits = classifier.predict(IMAGES)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits.argmax(1), margins() > 0)
    check = logits_are_known(classifier, IMAGES)
    assert not check.passed
    assert "rounded to 1" in check.evidence
    assert logits_are_known(
        Classifier.from_callable(lambda x: tf.sigmoid(sums(x)), **FACTS, outputs="probabilities"), IMAGES
    ).passed


def test_a_weak_unit_is_no_sigmoid():
    """Its logits (0, z) may all lie between 0 and 1."""
    model = unit()
    model.layers[-1].set_weights([0.01 * np.abs(WEIGHTS)[:, None], np.float32([0.01])])
    classifier = Classifier.from_keras(model)
    assert ((classifier.predict(IMAGES) >= 0) & (classifier.predict(IMAGES) <= 1)).all()
    assert logits_are_known(classifier, IMAGES).passed


def test_a_logit_within_0_and_1_for_noise_is_no_probability():
    head = heads.from_function(lambda x: 0.5 + 0.001 * sums(x), IMAGES[:4], None)
    assert head.source.startswith("one unit taken for a logit")
    head = heads.from_function(lambda x: tf.sigmoid(0.001 * sums(x)), IMAGES[:4], None)
    assert head.source == heads.binary.SATURATES


def test_declarations_that_do_not_fit():
    with pytest.raises(UserError, match="Leave out outputs="):
        Classifier.from_keras(unit("sigmoid"), outputs="logits")
    with pytest.raises(UserError, match="Leave out outputs="):
        Classifier.from_keras(unit(), outputs="probabilities")
    declared = Classifier.from_callable(lambda x: tf.sigmoid(sums(x)), **FACTS, outputs="logits")
    assert declared.logits_source.startswith("one unit declared to be a logit, though it looks like a probability")
