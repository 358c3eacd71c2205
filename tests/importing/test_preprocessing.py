"""Preprocessing: the same as its authors' code, with gradients, and forms that are refused."""

import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.errors import UserError
from tfinv.importing import preprocessing
from tfinv.importing.preprocessing import NETWORKS, front_layer, parse

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3)).astype(np.float32)

MODULES = [
    module.name
    for module in pkgutil.iter_modules(keras.applications.__path__)
    if hasattr(getattr(keras.applications, module.name), "preprocess_input") and module.name != "imagenet_utils"
]


def applied(text, images=PIXELS, **arguments):
    return parse(text, **arguments).apply(tf.constant(images)).numpy()


@pytest.mark.parametrize("module", MODULES)
def test_every_network_of_keras_applications_by_its_name(module):
    """The module's name and those of its networks give exactly what its own function does."""
    functions = getattr(keras.applications, module)
    networks = [n for n, f in vars(functions).items() if inspect.isfunction(f) and n[0].isupper()]
    for name in (module, *networks, *(n.lower() for n in networks)):
        np.testing.assert_array_equal(applied(name), functions.preprocess_input(PIXELS.copy()))
        assert parse(name).bounds == (0, 255)
        assert parse(name).network


def test_every_network_of_keras_applications_has_a_name():
    assert len(MODULES) >= 15
    names = {n.lower() for n, f in vars(keras.applications).items() if inspect.isfunction(f) and n[0].isupper()}
    assert names <= set(NETWORKS)
    assert "rescales its pixels inside" in parse("EfficientNetV2B0").phrase


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_modes(mode):
    reference = keras.applications.imagenet_utils.preprocess_input(PIXELS.copy(), mode=mode)
    np.testing.assert_array_equal(applied(mode), reference)


def own_range(x):
    low, high = x.min((1, 2, 3), keepdims=True), x.max((1, 2, 3), keepdims=True)
    return (x - low) / (high - low)


CASES = [
    ("divide=255", (0, 255), lambda x: x / 255),
    ("scale=1/127.5,offset=-1", (0, 255), lambda x: x / 127.5 - 1),
    ("scale=2,offset=-1", (0, 1), lambda x: 2 * x - 1),
    ("offset=-127.5", (0, 255), lambda x: x - 127.5),
    ("mean=.485,.456,.406,std=.229,.224,.225", (0, 1), lambda x: (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ("std=.5,mean=.25", (0, 1), lambda x: (x - 0.25) / 0.5),
    ("mean=123.68,116.779,103.939", (0, 255), lambda x: x - [123.68, 116.779, 103.939]),
    ("mean=0,std=255", (0, 255), lambda x: x / 255),
    ("divide=255+mean=.5,std=.25", (0, 255), lambda x: (x / 255 - 0.5) / 0.25),
    ("standardise", (0, 255), lambda x: tf.image.per_image_standardization(x).numpy()),
    ("minmax", (0, 255), own_range),
    ("minmax+invert", (0, 255), lambda x: 1 - own_range(x)),
    ("invert", (0, 1), lambda x: 1 - x),
    ("invert+divide=255", (0, 255), lambda x: (255 - x) / 255),
    ("divide=255 + invert", (0, 255), lambda x: 1 - x / 255),
    ("tf+invert", (0, 255), lambda x: 1 - x / 127.5),
    ("none", (0, 1), lambda x: x),
]


@pytest.mark.parametrize(("text", "bounds", "reference"), CASES, ids=[c[0] for c in CASES])
def test_forms(text, bounds, reference):
    images = (PIXELS / 255 * bounds[1]).astype(np.float32)
    form = parse(text)
    assert form.bounds == bounds
    assert "network" not in form.phrase
    assert form.text in form.phrase
    np.testing.assert_allclose(applied(text, images), reference(images), rtol=1e-5, atol=1e-5)
    # The canonical text is read back as the same.
    again = parse(form.text)
    assert (again.text, again.bounds) == (form.text, form.bounds)
    np.testing.assert_array_equal(again.apply(tf.constant(images)), form.apply(tf.constant(images)))


@pytest.mark.parametrize("text", ["caffe", *(c[0] for c in CASES)])
def test_in_front_of_a_model(text):
    """Keras tensors and TensorFlow's alike, and the gradient that of differences."""
    form = parse(text)
    images = (0.1 + 0.8 * PIXELS / 255) * form.bounds[1]
    images = images.astype(np.float32)
    x = keras.Input(images.shape[1:])
    model = keras.Model(x, form.apply(x))
    np.testing.assert_allclose(model(images), form.apply(tf.constant(images)), rtol=1e-6)
    weights = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    direction = np.random.default_rng(2).normal(size=images.shape).astype(np.float32)

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(form.apply(x) * weights)
        return tape.gradient(total, x)

    step = 1e-3 * form.bounds[1]
    ahead, behind = (np.float64(form.apply(tf.constant(images + sign * step * direction))) for sign in (1, -1))
    difference = np.sum((ahead - behind) * weights) / (2 * step)
    np.testing.assert_allclose(np.sum(gradient(tf.constant(images)) * direction), difference, rtol=1e-2)


@pytest.mark.parametrize("text", ["standardise", "minmax"])
def test_an_image_of_one_grey_has_a_gradient(text):
    x = tf.fill((1, 4, 4, 1), 7.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = parse(text).apply(x)
    assert np.isfinite(y).all()
    assert np.isfinite(tape.gradient(y, x)).all()


def test_the_declared_range_is_the_one_that_is_inverted():
    np.testing.assert_array_equal(applied("invert", PIXELS, bounds=(0, 255)), 255 - PIXELS)
    np.testing.assert_array_equal(applied("invert", PIXELS / 255, bounds=(-1, 1)), -PIXELS / 255)


@pytest.mark.parametrize(
    ("text", "advice", "right"),
    [
        ("resnet5", "a network of keras.applications such as resnet50 or caffe", "resnet50"),
        ("", "steps joined with +", "none"),
        ("tf+", "steps joined with +", "tf"),
        ("mean=1;std=2", "numbers separated by commas for mean", "mean=1,std=2"),
        ("mean=a", "numbers separated by commas for mean", "mean=1"),
        ("std=0,1,2", "std other than 0", "std=1,1,2"),
        ("divide=255,mean=3", "divide=...", "divide=255+mean=3"),
        ("mean=1,mean=2", "mean=...", "mean=1"),
        ("standardise+invert", "Put invert first", "invert+standardise"),
    ],
)
def test_refusals_say_what_works(text, advice, right):
    with pytest.raises(UserError, match=r"Expected .* Received: ") as raised:
        parse(text)
    assert advice in str(raised.value)
    assert "\n" not in str(raised.value)
    parse(right)


@pytest.mark.parametrize(("text", "advice"), [("caffe", "3 channels for caffe"), ("mean=1,2,3", "one number, or 1")])
def test_numbers_of_colours_are_not_for_grey_images(text, advice):
    with pytest.raises(UserError, match=advice):
        applied(text, PIXELS[..., :1])


def test_a_model_that_rescales_inside_is_known_by_its_first_layers():
    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255, name="scale"), layers.Conv2D(2, 3)])
    x = keras.Input((8, 8, 3))
    flipped = layers.RandomFlip()(x)
    assert front_layer(keras.Model(x, layers.Flatten()(inner(flipped)))) == "scale (Rescaling)"
    normal = keras.Sequential([keras.Input((8, 8, 3)), layers.Normalization(mean=1.0, variance=2.0, name="n")])
    assert front_layer(normal) == "n (Normalization)"
    late = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 3), layers.Rescaling(2.0)])
    assert front_layer(late) is None


def test_networks_that_need_none_rescale_inside_and_the_others_do_not():
    for name, rescales in (("MobileNetV3Small", True), ("MobileNet", False)):
        shape = (32, 32, 3)
        model = getattr(keras.applications, name)(weights=None, input_shape=shape, include_top=False)
        assert (front_layer(model) is not None) is rescales
        assert (preprocessing.NETWORKS[name.lower()] == "none") is rescales
