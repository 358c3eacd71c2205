"""True logits, features and gradients of every kind of Keras model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_models import (
    CLASSES,
    CUT,
    IMAGES,
    KINDS,
    LOG,
    SHAPE,
    TAKEN,
    Subclassed,
    assert_same_logits,
    dense,
    sequential,
)
from tfinv.classifier import Classifier
from tfinv.errors import UserError


@pytest.fixture(params=KINDS, scope="module")
def case(request):
    make, source = KINDS[request.param]
    model = make()
    # Statistics unlike the initial ones, so that a use of training mode would show.
    for weight in model.non_trainable_weights:
        if weight.path.endswith(("moving_mean", "moving_variance")):
            weight.assign(np.linspace(0.5, 1.5, weight.shape[0]))
    return model, Classifier.from_keras(model), source


def test_logits_are_true(case):
    model, classifier, source = case
    before = [weight.numpy() for weight in model.weights]
    config = None if isinstance(model, Subclassed) else json.dumps(model.get_config())
    logits = classifier.predict(IMAGES, batch_size=4)
    assert classifier.logits_source == source
    assert (classifier.num_classes, classifier.input_shape, classifier.differentiable) == (CLASSES, SHAPE, True)
    assert logits.dtype == np.float32
    assert logits.shape == (11, CLASSES)
    half_precision = getattr(model.layers[0], "compute_dtype", "") == "bfloat16"
    assert_same_logits(logits, model(IMAGES, training=False), atol=0.05 if half_precision else 2e-5)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    if config:
        assert json.dumps(model.get_config()) == config


def test_predict_is_independent_of_batch_size(case):
    whole = case[1].predict(IMAGES)
    for size in (1, 4, 11, 256):
        np.testing.assert_allclose(case[1].predict(IMAGES, size), whole, rtol=1e-5, atol=1e-5)


def test_predict_traces_once(case):
    for size in (2, 3, 5):
        case[1].predict(IMAGES, size)
    assert case[1].compiled_logits.experimental_get_tracing_count() == 1


def test_features(case):
    model, classifier, _ = case
    if classifier.logits_source in (TAKEN, LOG):
        with pytest.raises(UserError, match="layers cannot be seen"):
            classifier.features(IMAGES)
        return
    pooled, maps = classifier.features(IMAGES), classifier.features(IMAGES, pooled=False)
    assert pooled.shape == (11, 5)
    assert maps.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_mean(maps, (1, 2)), pooled, rtol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "softmax activation", "softmax layer", "functional", "nested"])
def test_gradient_survives_saturation(kind):
    model = KINDS[kind][0]()
    kernel = [w for w in model.weights if w.path.endswith("kernel")][-1]
    kernel.assign(kernel * 3000)
    classifier = Classifier.from_keras(model)
    x = tf.constant(IMAGES)

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = classifier.logits(x)
            top = tf.math.top_k(logits, 2).values
            margin = top[:, 0] - top[:, 1]
        return margin, tape.gradient(margin, x)

    margin, slope = gradient(x)
    assert np.median(margin) > 30
    assert np.isfinite(slope).all()
    assert (np.abs(slope).max(axis=(1, 2, 3)) > 1).all()


def test_keras_models_of_odd_structure():
    inputs = keras.Input(SHAPE, name="image")
    outputs = dense(activation="softmax")(keras.layers.Flatten()(inputs))
    for model in (
        keras.Model({"image": inputs}, {"scores": outputs}),
        keras.Model([inputs], [outputs]),
        keras.Model(inputs, outputs),
    ):
        classifier = Classifier.from_keras(model)
        assert classifier.logits_source == CUT
        assert_same_logits(classifier.predict(IMAGES), keras.Model(inputs, outputs)(IMAGES))


def test_deferred_sequential():
    model = keras.Sequential([keras.layers.Flatten(), dense(activation="softmax")])
    model(IMAGES[:3])
    classifier = Classifier.from_keras(model)
    assert_same_logits(classifier.predict(IMAGES, 4), model(IMAGES))


def test_activation_in_the_middle_of_a_layer_is_not_cut():
    class Odd(keras.layers.Dense):
        def call(self, x):
            return super().call(x) * 2.0

    classifier = Classifier.from_keras(sequential(Odd(CLASSES, activation="softmax")))
    assert classifier.logits_source == TAKEN


def test_a_call_of_its_own_shows_where_all_of_many_probabilities_are_small():
    class Normalising(keras.Model):
        def call(self, x, training=None, mask=None):
            return super().call(4 * (x - 0.5))

    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1))
    small = keras.initializers.RandomNormal(0.0, 0.05)
    dense = keras.layers.Dense(100, activation="softmax", kernel_initializer=small)
    model = Normalising(inputs, dense(keras.layers.Flatten()(inputs)))
    images = np.random.default_rng(0).random((50, 6, 6, 1)).astype(np.float32)
    probabilities = model(images).numpy()
    assert probabilities.max() < 0.1
    predicted = Classifier.from_keras(model).predict(images)
    np.testing.assert_array_equal(predicted.argmax(1), probabilities.argmax(1))


def test_outputs_override():
    model = sequential(dense(activation="softmax"))
    declared = Classifier.from_keras(model, outputs="logits")
    assert declared.logits_source == "outputs declared to be logits, though they look like probabilities"
    np.testing.assert_allclose(declared.predict(IMAGES), model(IMAGES), rtol=1e-6)
    assert Classifier.from_keras(model, outputs="probabilities").logits_source == CUT
    with pytest.raises(UserError, match="probabilities, which sum to one"):
        Classifier.from_keras(sequential(dense()), outputs="probabilities")
    with pytest.raises(UserError, match="Change outputs="):
        Classifier.from_keras(model, outputs="scores")
