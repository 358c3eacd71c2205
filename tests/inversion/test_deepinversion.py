"""The batch norms' statistics as a prior: its value by hand, in graphs of every kind, and its effect on reconstructions."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import DeepInversion, invert
from tfinv.inversion.statistics import distance, has_batch_norm, logits_and_norm_inputs

L = keras.layers
SHAPE = (8, 8, 1)


def one_norm(mean, variance, channels=1):
    model = keras.Sequential([keras.Input((1, 2, channels)), L.BatchNormalization(), L.Flatten(), L.Dense(2)])
    model.layers[0].moving_mean.assign(mean)
    model.layers[0].moving_variance.assign(variance)
    return Classifier.from_keras(model, outputs="logits")


def prior_and_gradient(classifier, images):
    images = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        prior = distance(logits_and_norm_inputs(classifier.parts, images)[1])
    return float(prior), tape.gradient(prior, images).numpy()


# Mean 1/2, variance 1/8.
BATCH = np.float32([[0, 1], [0.5, 0.5]]).reshape(2, 1, 2, 1)


def test_it_is_zero_at_the_moving_statistics_and_so_is_its_gradient():
    prior, gradient = prior_and_gradient(one_norm([0.5], [0.125]), BATCH)
    assert prior == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(BATCH))


def test_its_value_by_hand():
    assert prior_and_gradient(one_norm([0.2], [1.0]), BATCH)[0] == pytest.approx(0.3 + 0.875)
    channels = np.concatenate([BATCH, 2 * BATCH], axis=-1)  # means .5 and 1, variances 1/8 and 1/2
    assert prior_and_gradient(one_norm([0.2, 0.6], [0.125, 0.5], 2), channels)[0] == pytest.approx(0.5)  # |(.3, .4)|
    assert prior_and_gradient(one_norm([0.5, 1.0], [0.425, 0.9], 2), channels)[0] == pytest.approx(0.5)


def test_the_cost_has_it_by_its_weight():
    classifier = one_norm([0.2], [1.0])
    logits, penalty = DeepInversion(batch_norm=10.0).logits_and_penalty(classifier, tf.constant(BATCH))
    np.testing.assert_allclose(logits, classifier.logits(tf.constant(BATCH)), atol=1e-6)
    assert float(penalty) == pytest.approx(11.75)


def nested():
    inner = keras.Sequential([keras.Input((6, 6, 3)), L.BatchNormalization(), L.ReLU(), L.Conv2D(2, 3)])
    return [
        L.Conv2D(3, 3),
        inner,
        L.BatchNormalization(),
        L.Flatten(),
        L.Dropout(0.5),
        L.Dense(3, activation="softmax"),
    ]


def residual():
    inputs = keras.Input(SHAPE)
    x = L.BatchNormalization()(L.Conv2D(3, 3, padding="same")(inputs))
    x = L.Add()([keras.ops.relu(x), L.Conv2D(3, 1)(inputs)])
    x = L.BatchNormalization()(x)
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


def half():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return keras.Sequential([keras.Input(SHAPE), *nested()])
    finally:
        keras.config.set_dtype_policy("float32")


MODELS = {"nested": lambda: keras.Sequential([keras.Input(SHAPE), *nested()]), "residual": residual, "half": half}


@pytest.mark.parametrize("name", MODELS)
def test_it_sees_the_batch_norms_of_every_graph(name):
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    images = np.random.default_rng(0).uniform(size=(16, *SHAPE)).astype(np.float32)
    for _ in range(2):
        model(images, training=True)
    classifier = Classifier.from_keras(model)
    assert has_batch_norm(classifier.parts)
    logits, norm_inputs = logits_and_norm_inputs(classifier.parts, tf.constant(images))
    assert len(norm_inputs) == 2
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, classifier.logits(tf.constant(images)), atol=1e-5 if name != "half" else 0.05)
    # In training a batch norm normalises by just these statistics: with them as its own, inference does the same.
    for layer, inputs in norm_inputs:
        inputs = np.asarray(tf.cast(inputs, tf.float32), np.float64)
        layer.moving_mean.assign(inputs.mean(axis=(0, 1, 2)))
        layer.moving_variance.assign(inputs.var(axis=(0, 1, 2)))
    assert float(distance(norm_inputs)) == pytest.approx(0, abs=1e-5)


@functools.cache
def trained():
    """A small net that tells slopes from their mirror images, with statistics of its training images."""
    draw = np.random.default_rng(3)
    labels = np.arange(128) % 2
    images = np.linspace(0.1, 0.6, 8)[None, :, None, None] * draw.uniform(0.8, 1.2, (128, *SHAPE))
    images = np.where(labels[:, None, None, None] == 1, images, images[:, ::-1]).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input(SHAPE), L.Conv2D(4, 3), L.BatchNormalization(momentum=0.5), L.ReLU(), L.Flatten(), L.Dense(2)]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=4, batch_size=32, verbose=0)
    return Classifier.from_keras(model, outputs="logits"), images


def prior_value(classifier, images):
    return float(distance(logits_and_norm_inputs(classifier.parts, tf.constant(images))[1]))


def test_reconstructions_are_nearer_the_moving_statistics_with_the_prior():
    classifier, images = trained()

    def run(weight):
        return invert(classifier, [0, 1], DeepInversion(steps=60, batch_norm=weight, jitter=0, flip=False), samples=8)

    with_prior, without = run(100.0), run(0.0)
    start = prior_value(classifier, with_prior.starts)
    near, far = prior_value(classifier, with_prior.images), prior_value(classifier, without.images)
    assert near < 0.2 * far
    assert near < 0.2 * start
    # What is returned is one batch, that of the lowest mean cost, and its cost is what it says.
    method = DeepInversion(steps=60, jitter=0, flip=False)
    x = tf.constant(with_prior.images)
    logits, penalty = method.logits_and_penalty(classifier, x)
    cost = method.cost(logits, tf.constant(with_prior.labels), x, x) + penalty
    np.testing.assert_allclose(with_prior.cost, cost, rtol=1e-3, atol=1e-3)
    assert (with_prior.confidence > 0.5).all()


def test_rows_that_fill_a_batch_up_do_not_count():
    """9 rows would be filled up to 16 of 64, and the statistics would be those of the last row."""
    classifier, _ = trained()
    method = DeepInversion(steps=5)
    small = invert(classifier, [0, 1, 0], method, samples=3, batch_size=9)
    large = invert(classifier, [0, 1, 0], method, samples=3, batch_size=64)
    np.testing.assert_array_equal(small.images, large.images)
    with pytest.raises(UserError, match="batch_size of at least 9"):
        invert(classifier, [0, 1, 0], method, samples=3, batch_size=8)


def test_models_without_batch_norm_are_refused():
    plain = keras.Sequential([keras.Input(SHAPE), L.Flatten(), L.Dense(2)])
    function = Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, 64])[:, :2], input_shape=SHAPE, num_classes=2, outputs="logits"
    )
    for classifier in (Classifier.from_keras(plain, outputs="logits"), function):
        with pytest.raises(UserError, match="Keras model with batch normalisation"):
            invert(classifier, [0], DeepInversion(steps=1))


def test_bad_arguments():
    with pytest.raises(UserError, match="patience=0"):
        DeepInversion(patience=3)
    with pytest.raises(UserError, match="Expected batch_norm"):
        DeepInversion(batch_norm=-1)
