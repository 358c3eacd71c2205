"""Every kind of Keras model gives its true logits, features and gradients."""

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
    body,
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


def test_feature_choices():
    named = Classifier.from_keras(sequential(dense()), features_layer="relu")
    assert named.features(IMAGES, pooled=False).shape == (11, 2, 2, 5)
    assert np.min(named.features(IMAGES)) >= 0
    flat = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(7), dense(), keras.layers.Softmax()]
    )
    assert Classifier.from_keras(flat).features(IMAGES).shape == (11, 7)
    inner = keras.Sequential([keras.Input(SHAPE), *body()[:3]])
    outer = keras.Sequential([keras.Input(SHAPE), inner, keras.layers.Flatten(), dense()])
    assert Classifier.from_keras(outer).features(IMAGES).shape == (11, 5)
    assert Classifier.from_keras(outer, features_layer="first").features(IMAGES).shape == (11, 3)
    with pytest.raises(UserError, match=r"name of a layer: .*first.* Received: nothing"):
        Classifier.from_keras(outer, features_layer="nothing")


def maps_behind(x, kind):
    """What a network may do behind its last convolution, and how it is called where the map ends."""
    last = keras.layers.Conv2D(5, 3, padding="same", name="last")
    match kind:
        case "plain":
            x = keras.layers.ReLU(name="map")(keras.layers.BatchNormalization()(last(x)))
        case "residual":
            x = keras.layers.ReLU(name="map")(keras.layers.Add()([last(x), keras.layers.Conv2D(5, 1)(x)]))
        case "residual, activation before":
            x = keras.layers.Add()([last(keras.layers.ReLU()(x)), x])
            x = keras.layers.Activation("elu", name="map")(keras.layers.LayerNormalization()(x))
        case "dense":
            x = keras.layers.Concatenate(name="map")([x, last(x)])
        case "gated":
            x = last(x)
            gate = keras.layers.Conv2D(5, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
            x = keras.layers.Multiply(name="map")([x, keras.layers.Activation("sigmoid")(gate)])
        case "added as an operation":
            x = keras.layers.ReLU(name="map")(last(x) + x)
        case "a merge before":
            x = keras.layers.Conv2D(2, 1, name="map")(keras.layers.Add()([last(x), x]))
        case "pooled twice":
            x = keras.layers.ReLU(name="map")(last(x))
            poolings = keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D
            return keras.layers.Concatenate()([pooling(keepdims=True)(x) for pooling in poolings])
        case "forked":
            x = keras.layers.Activation("linear", name="map")(last(x))
            return keras.layers.Concatenate()(
                [keras.layers.Flatten()(f(x)) for f in (keras.layers.ReLU(), keras.layers.ELU())]
            )
        case "attention":
            x = keras.layers.ReLU(name="map")(last(x))
            tokens = keras.layers.Reshape((1, 16, 5))(x)
            scores = keras.ops.matmul(tokens, keras.ops.transpose(tokens, (0, 1, 3, 2)))
            return keras.ops.matmul(keras.ops.softmax(scores), tokens)
    return keras.layers.Dropout(0.5)(x)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "residual",
        "residual, activation before",
        "dense",
        "gated",
        "added as an operation",
        "a merge before",
        "pooled twice",
        "forked",
        "attention",
    ],
)
def test_features_are_what_the_network_goes_on_with(kind, inside):
    keras.utils.set_random_seed(5)
    inputs = keras.Input(SHAPE)
    maps = keras.Model(inputs, maps_behind(keras.layers.Conv2D(5, 3)(inputs), kind))
    x = keras.layers.Flatten()(maps(inputs) if inside else maps.output)
    model = keras.Model(inputs, dense()(x))
    expected = keras.Model(inputs, maps.get_layer("map").output)(IMAGES)
    np.testing.assert_array_equal(Classifier.from_keras(model).features(IMAGES, pooled=False), expected)


def test_a_map_goes_on_behind_a_nested_model():
    keras.utils.set_random_seed(6)
    inner = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(5, 3)])
    model = keras.Sequential(
        [keras.Input(SHAPE), inner, keras.layers.ReLU(name="map"), keras.layers.GlobalAveragePooling2D(), dense()]
    )
    expected = keras.Model(model.inputs[0], model.get_layer("map").output)(IMAGES)
    np.testing.assert_array_equal(Classifier.from_keras(model).features(IMAGES, pooled=False), expected)


@pytest.mark.parametrize("nested", [False, True])
def test_scores_that_are_averaged_are_no_map(nested):
    """A fully convolutional network that looks at the image and at its mirror image: the head is called twice."""
    keras.utils.set_random_seed(7)
    inputs = keras.Input(SHAPE)
    body = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(5, 3, name="map")])
    head = keras.layers.Conv2D(CLASSES, 1)
    if nested:
        head = keras.Sequential([keras.Input((4, 4, 5)), head])
    scores = [head(body(x)) for x in (inputs, keras.ops.flip(inputs, 2))]
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Average()(scores)))
    assert Classifier.from_keras(model).features(IMAGES, pooled=False).shape == (11, 4, 4, 5)


def test_a_merge_without_a_convolution_is_no_map():
    inputs = keras.Input(SHAPE)
    x = keras.layers.Flatten()(keras.layers.Multiply()([inputs, inputs]))
    model = keras.Model(inputs, dense()(keras.layers.Dense(7)(x)))
    assert Classifier.from_keras(model).features(IMAGES).shape == (11, 7)


@pytest.mark.parametrize("nested", [False, True])
def test_a_convolution_that_gives_the_scores_gives_no_features(nested):
    """As in MobileNetV3, whose head is a 1x1 convolution behind the pooling."""
    head = [keras.layers.Conv2D(4, 1, name="scores"), keras.layers.Flatten()]
    if nested:
        head = [keras.Sequential([keras.Input((1, 1, 5)), *head])]
    model = keras.Sequential([keras.Input(SHAPE), *body()[:3], keras.layers.GlobalMaxPooling2D(keepdims=True), *head])
    last = keras.Model(model.inputs[0], model.get_layer("last").output)
    np.testing.assert_array_equal(Classifier.from_keras(model).features(IMAGES, pooled=False), last(IMAGES))
    alone = keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(4, 6), keras.layers.Flatten()])
    np.testing.assert_array_equal(Classifier.from_keras(alone).features(IMAGES, pooled=False), IMAGES)


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
