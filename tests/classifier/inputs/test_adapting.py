"""Adapted Keras models: same outputs, shared weights, gradients and features, and advice that works."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (8, 6, 3)
BYTES = np.random.default_rng(0).integers(0, 256, (7, *SHAPE))
IMAGES = BYTES.astype(np.float32)


def network(*first, shape=SHAPE, dtype="float32", batch=None):
    keras.utils.set_random_seed(0)
    middle = [layers.Conv2D(4, 3, activation="tanh", name="conv"), layers.BatchNormalization()]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(shape, batch_size=batch, dtype=dtype), *first, *middle, *head])


def rescale():
    return layers.Rescaling(1 / 255)


def test_a_plain_model_is_left():
    model = network()
    assert Classifier.from_keras(model).notes == ()
    assert len(model.layers[0]._inbound_nodes) == 1


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_whole_numbers_become_floats(dtype):
    model = network(rescale(), dtype=dtype)
    config = model.get_config()
    classifier = Classifier.from_keras(model)
    assert classifier.bounds == (0, 255)
    assert classifier.notes == (
        f"pixels from 0 to 255, since its input is {dtype}",
        f"input of {dtype} taken as floats, so that gradients flow",
    )
    assert classifier.logits_source == "softmax of the last layer cut off"
    probabilities = model.predict(BYTES.astype(dtype), verbose=0)
    logits = classifier.predict(IMAGES)
    np.testing.assert_allclose(tf.nn.softmax(logits), probabilities, rtol=1e-4)
    assert classifier.differentiable
    assert classifier.features(IMAGES).shape == (7, 4)
    fast = classifier.accelerated()
    assert fast.gradient_source == "batch norm folded"
    np.testing.assert_allclose(fast.gradient_logits(IMAGES), logits, atol=1e-4)
    assert model.get_config() == config
    model.layers[-1].set_weights([2 * w for w in model.layers[-1].get_weights()])  # the weights are shared
    np.testing.assert_allclose(classifier.predict(IMAGES), 2 * logits, atol=1e-4)


def test_bounds_of_whole_numbers_may_be_declared():
    model = network(rescale(), dtype="uint8")
    assert Classifier.from_keras(model, (0, 100)).bounds == (0, 100)


def test_a_model_of_whole_numbers_that_has_no_float_twin():
    inputs = keras.Input(SHAPE, dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs * 3)  # beyond 255 it begins again
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    classifier = Classifier.from_keras(model)
    assert not classifier.differentiable
    assert classifier.notes[1] == "pixels rounded to uint8, through which no gradient flows"
    np.testing.assert_allclose(classifier.predict(IMAGES), model(BYTES.astype("uint8")), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        classifier.predict(IMAGES[:, ::-1].clip(1, 254) + 0.4), classifier.predict(IMAGES[:, ::-1].clip(1, 254))
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats(dtype):
    x = (IMAGES / 255).astype(np.float32)
    model = network(dtype=dtype)
    classifier = Classifier.from_keras(model)
    assert classifier.notes == ((f"pixels rounded to {dtype}, the type of its input",) if dtype != "float64" else ())
    assert classifier.differentiable
    np.testing.assert_allclose(tf.nn.softmax(classifier.predict(x)), model(x), rtol=1e-4)
    flat = keras.Sequential(
        [keras.Input((48,), dtype=dtype), layers.Reshape((8, 6, 1)), *network(shape=(8, 6, 1)).layers]
    )
    behind = Classifier.from_keras(flat, image_size=(8, 6))
    np.testing.assert_allclose(tf.nn.softmax(behind.predict(x[..., :1])), flat(x[..., 0].reshape(7, 48)), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 4, 7, 8])
def test_a_fixed_batch(count):
    free, fixed = network(), network(batch=4)
    fixed.set_weights(free.get_weights())
    classifier = Classifier.from_keras(fixed)
    assert classifier.notes == ("built for batches of 4: takes any number of images here",)
    np.testing.assert_allclose(
        tf.nn.softmax(classifier.predict(IMAGES[:count] / 255)), free(IMAGES[:count] / 255), rtol=1e-4
    )


@pytest.mark.parametrize("count", [1, 4, 7, 8])
def test_a_fixed_batch_in_its_operations(count):
    inputs = keras.Input(batch_shape=(4, *SHAPE))
    dense = layers.Dense(3)
    model = keras.Model(inputs, dense(keras.ops.reshape(inputs, (4, 144))))
    classifier = Classifier.from_keras(model)
    assert classifier.notes == ("images given to it in batches of 4, as it was built",)
    assert classifier.differentiable
    x = np.concatenate([IMAGES, IMAGES[:1]])[:count] / np.float32(255)
    kernel, bias = dense.get_weights()
    np.testing.assert_allclose(classifier.predict(x), x.reshape(count, 144) @ kernel + bias, atol=1e-4)


def test_a_front_before_a_model_that_is_no_graph():
    class Flat(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def call(self, x):
            return self.inner(tf.reshape(x, (-1, *SHAPE)))

    model = Flat()
    x = (IMAGES / 255).astype(np.float32)
    truth = model(x.reshape(7, 144))
    classifier = Classifier.from_keras(model, image_size=(8, 6))
    assert classifier.differentiable
    np.testing.assert_allclose(tf.nn.softmax(classifier.predict(x)), truth, rtol=1e-4)


def several_inputs(structure):
    keras.utils.set_random_seed(0)
    image, age, code = keras.Input(SHAPE, name="image"), keras.Input((2,), name="age"), keras.Input((2, 2), name="code")
    merged = layers.Concatenate()([layers.Flatten()(image), age, layers.Flatten()(code)])
    return keras.Model(structure(image, age, code), layers.Dense(3)(merged))


@pytest.mark.parametrize("structure", [lambda i, a, c: {"image": i, "age": a, "code": c}, lambda i, a, c: [a, i, c]])
def test_the_code_that_fixes_other_inputs_works(structure, tmp_path):
    model = several_inputs(structure)
    with pytest.raises(UserError, match=r"one with 3: .*age of shape") as refused:
        Classifier.from_keras(model)
    code = str(refused.value).partition("here at 0.0: ")[2].rstrip(".")
    definition, _, expression = code.partition("; ")
    names = {"keras": keras, "model": model}
    exec(definition, names)
    single = eval(expression, names)
    single.save(tmp_path / "model.keras")
    classifier = Classifier.from_keras(keras.models.load_model(tmp_path / "model.keras"))
    x = (IMAGES / 255).astype(np.float32)
    truth = model(structure(x, np.zeros((7, 2), np.float32), np.zeros((7, 2, 2), np.float32)))
    np.testing.assert_allclose(classifier.predict(x), truth, atol=1e-5)


def test_preprocessing_in_front():
    model = network()
    x = (IMAGES / 255).astype(np.float32)
    classifier = Classifier.from_keras(model, (0, 255), preprocessing=lambda v: v / 255.0)
    np.testing.assert_allclose(tf.nn.softmax(classifier.predict(IMAGES)), model(x), rtol=1e-4)
    assert classifier.notes == ("a function of yours in front of the model",)
    named = Classifier.from_keras(model, features_layer="conv", channels="bgr")
    np.testing.assert_allclose(tf.nn.softmax(named.predict(x)), model(x[..., ::-1]), rtol=1e-4)
    assert named.features(x).shape == (7, 4)


def test_the_code_that_adds_a_fourth_channel_works():
    model = network(shape=(8, 6, 4))
    x = (IMAGES / 255).astype(np.float32)
    with pytest.raises(UserError, match="a fourth channel") as refused:
        Classifier.from_keras(model).predict(x)
    definition, _, expression = str(refused.value).partition("opaque: ")[2].rstrip(".").partition("; ")
    names = {"keras": keras, "model": model}
    exec(definition, names)
    classifier = Classifier.from_keras(eval(expression, names))
    opaque = np.concatenate([x, np.ones((7, 8, 6, 1), np.float32)], axis=-1)
    np.testing.assert_allclose(tf.nn.softmax(classifier.predict(x)), model(opaque), rtol=1e-4)


def test_images_too_small_for_the_model():
    model = network(layers.MaxPooling2D(8), shape=(None, None, 3))
    with pytest.raises(UserError, match=r"images of shape \(8, 6, 3\)\. Received: \w+Error: .*Change image_size="):
        Classifier.from_keras(model, image_size=(8, 6))
    assert Classifier.from_keras(model, image_size=(32, 32)).input_shape == (32, 32, 3)


def test_scores_of_a_convolution_that_fits_one_size():
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, (8, 6), activation="softmax")])
    classifier = Classifier.from_keras(model, image_size=(8, 6))
    assert classifier.num_classes == 4
    assert classifier.logits_source == "softmax of the last layer cut off"
    x = (IMAGES / 255).astype(np.float32)
    np.testing.assert_allclose(tf.nn.softmax(classifier.predict(x)), np.asarray(model(x))[:, 0, 0], rtol=1e-4)
