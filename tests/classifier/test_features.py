"""Features: the last map, a named layer, or the input of the head."""

import keras
import numpy as np
import pytest

from keras_models import CLASSES, IMAGES, SHAPE, body, dense, sequential
from tfinv.classifier import Classifier
from tfinv.errors import UserError


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
    """Layers after the last convolution, of each kind; the layer where the map ends is named "map"."""
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
