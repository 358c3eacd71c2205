"""Architectures: shapes, the split, and that both halves share the model's weights."""

import math

import keras
import numpy as np
import pytest

from architectures import IMAGES, SHAPE, SMALL, layers_of, small
from tfinv import models
from tfinv.classifier import Classifier
from tfinv.errors import UserError


def test_every_architecture_is_tried():
    assert set(SMALL) == set(models.MODELS)


@pytest.mark.parametrize("name", SMALL)
def test_gives_logits(name):
    model = small(name)
    logits = model(IMAGES).numpy()
    assert logits.shape == (4, 4)
    assert model.layers[-1].activation is keras.activations.linear
    assert model.name == name


@pytest.mark.parametrize("name", SMALL)
def test_split_is_the_model_in_two(name):
    model = small(name)
    encoder, head = models.split(model)
    np.testing.assert_allclose(head(encoder(IMAGES)), model(IMAGES), rtol=1e-5, atol=1e-6)
    shared = {id(v) for v in encoder.variables} | {id(v) for v in head.variables}
    assert shared == {id(v) for v in model.variables}
    model.layers[-1].bias.assign(np.arange(4.0))
    np.testing.assert_allclose(head(encoder(IMAGES)), model(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "width"),
    [("softmax", 16 * 12 * 3), ("mlp", 7), ("cnn", 5), ("convnet", 5), ("vgg16", 8), ("resnet", 8)] + [("resnet18", 8)],
)
def test_encoding(name, width):
    encoder, _ = models.split(small(name))
    assert encoder.output_shape == (None, width)
    assert bool(encoder.weights) == (name != "softmax")


def test_softmax_encoding_is_the_image():
    encoder, _ = models.split(small("softmax"))
    np.testing.assert_array_equal(encoder(IMAGES), IMAGES.reshape(4, -1))


def test_split_at_another_layer():
    model = small("cnn")
    encoder, head = models.split(model, model.layers[1].name)
    assert encoder.output_shape == (None, 16, 12, 2)
    np.testing.assert_allclose(head(encoder(IMAGES)), model(IMAGES), rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match=r"a layer named 'nowhere'.*encoding"):
        models.split(model, "nowhere")


def test_build_takes_the_default_size():
    model = models.build("cnn", (8, 8, 1), 10)
    assert model.output_shape == (None, 10)
    assert models.split(model)[0].output_shape == (None, 128)


def test_build_takes_arguments():
    model = models.build("resnet(depth=8, width=2, preactivation=True, batch_norm=False)", SHAPE, 4)
    same = models.resnet(SHAPE, 4, depth=8, width=2, preactivation=True, batch_norm=False)
    assert [w.shape for w in model.weights] == [w.shape for w in same.weights]
    assert [w.shape[-1] for w in models.build("cnn(filters=(5,),units=6)", SHAPE, 4).weights] == [5, 5, 6, 6, 4, 4]
    assert len(layers_of(models.build("vgg16(width=1,head=())", SHAPE, 4), keras.layers.Dense)) == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "vgg",
            r"one of cnn, convnet, mlp, resnet, resnet18, softmax, vgg16\. Received: 'vgg'\. Change --architecture",
        ),
        ("resnet(deep=3)", r"arguments of resnet among .*depth.*Received: deep\. Change --architecture"),
        ("resnet(num_classes=3)", "arguments of resnet among"),
        ("softmax(units=3)", "arguments of softmax among initializer"),
        ("softmax(initializer=ones_and_a_half)", "ones_and_a_half"),
        ("mlp(units=2.5)", r"units of mlp as int\. Received: 2\.5"),
        ("cnn(filters=8)", r"filters of cnn as \(int, \.\.\.\)\. Received: 8"),
        ("cnn(filters=(8,wide))", "filters of cnn as"),
        ("resnet(depth=21)", r"6n \+ 2"),
        ("resnet(stem=medium)", "a stem among auto, small, large"),
        ("convnet(convolutions=0)", "at least 1 convolution"),
        (
            "cnn(filters=(4,4,4,4,4))",
            r"images of shape \(16, 12, 3\).*\(Computed output size.*Change --architecture or",
        ),
        ("vgg16(width=0)", r"vgg16\(width=0\) \(Invalid value for argument `filters`"),
        ("mlp(units=-1)", "positive integer"),
    ],
)
def test_wrong_specs_are_named(spec, message):
    with pytest.raises(UserError, match=message):
        models.build(spec, SHAPE, 4)


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("cnn", "cnn"),
        ("cnn( units = 128 )", "cnn"),
        ("resnet(width = 32, depth=32)", "resnet(depth=32,width=32)"),
        ("vgg16(head=(64, 64), width=16)", "vgg16(width=16)"),
        ("vgg16(head=())", "vgg16(head=())"),
        ("vgg16(head=(9,))", "vgg16(head=(9,))"),
    ],
)
def test_canonical_form(spec, canonical):
    assert models.canonical(spec) == canonical
    assert models.canonical(canonical) == canonical
    assert models.name_of(spec) == canonical.partition("(")[0]


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("side", [28, 32, 224])
def test_fits_usual_images(name, side):
    """At full width, but without values: none are drawn."""
    with keras.StatelessScope(initialize_variables=False):
        model = models.build(name, (side, side, 3), 10)
        encoder, head = models.split(model)
    assert model.output_shape == (None, 10)
    assert encoder.output_shape == head.input_shape
    assert len(encoder.output_shape) == 2
    for stage in [x for x in model.layers if x.name.startswith("stage")]:
        assert stage.output.shape[1] >= 1


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (48, 48, 1), (96, 96, 3)])
def test_gives_finite_logits_and_loads_without_us(name, shape, tmp_path):
    keras.utils.set_random_seed(2)
    model = models.MODELS[name](shape, 4, **SMALL[name])
    images = np.random.default_rng(2).uniform(size=(2, *shape)).astype(np.float32)
    logits = model(images).numpy()
    assert np.isfinite(logits).all()
    assert np.ptp(logits) > 0
    if shape[0] == 28:
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={})
        np.testing.assert_array_equal(loaded(images), logits)
        assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("softmax", "mlp")])
def test_features_are_what_the_last_pooling_takes(name):
    model = small(name)
    pooling = [x for x in model.layers if "Pooling" in type(x).__name__]
    convolutions = layers_of(model, keras.layers.Conv2D)
    last = keras.Model(model.inputs[0], pooling[-1].input if pooling else convolutions[-1].output)(IMAGES).numpy()
    features = Classifier.from_keras(model).features(IMAGES, pooled=False)
    np.testing.assert_allclose(features, last, rtol=1e-4, atol=1e-5)


def trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def convolution_weights(model):
    return sum(math.prod(v.shape) for layer in layers_of(model, keras.layers.Conv2D) for v in layer.weights)


def test_published_sizes():
    """VGG16 and ResNet-18 for ImageNet, as keras.applications and torchvision have them, and ResNet-18 for CIFAR-10."""
    with keras.StatelessScope(initialize_variables=False):
        vgg = models.vgg16((32, 32, 3), 10, batch_norm=False)
        assert convolution_weights(vgg) == 14_714_688
        assert len(layers_of(vgg, keras.layers.Conv2D)) == 13
        dense = 512 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
        assert vgg.count_params() == 14_714_688 + dense
        assert trainable(models.resnet18((224, 224, 3), 1000)) == 11_689_512
        assert trainable(models.resnet18((32, 32, 3), 10)) == 11_173_962
        # Narrow enough for a processor: a sixteenth.
        assert convolution_weights(models.vgg16((32, 32, 3), 10, width=16)) == 919_728


def test_vgg16_pools_to_one_pixel_on_cifar():
    model = models.vgg16((32, 32, 3), 10, width=1)
    assert [model.get_layer(f"stage{i}").output.shape[1:] for i in range(1, 6)] == [
        (16, 16, 1), (8, 8, 2), (4, 4, 4), (2, 2, 8), (1, 1, 8),
    ]  # fmt: skip
    assert [x.units for x in layers_of(model, keras.layers.Dense)] == [64, 64, 10]
    assert models.vgg16((28, 28, 1), 10, width=1).get_layer("stage5").output.shape[1:] == (1, 1, 8)
    assert models.vgg16((224, 224, 3), 10, width=1).get_layer("stage5").output.shape[1:] == (7, 7, 8)


def test_vgg16_without_normalisation_has_biases():
    kinds = {True: models.vgg16(SHAPE, 4, width=1), False: models.vgg16(SHAPE, 4, width=1, batch_norm=False)}
    for batch_norm, model in kinds.items():
        assert len(layers_of(model, keras.layers.BatchNormalization)) == 13 * batch_norm
        assert {x.use_bias for x in layers_of(model, keras.layers.Conv2D)} == {not batch_norm}


def test_cnn_draws_the_weights_that_it_always_drew():
    """Records depend on it: one layer after the other, as written here."""
    keras.utils.set_random_seed(3)
    layers = []
    for width in (2, 3):
        layers += [keras.layers.Conv2D(width, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(2)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(4)]
    plain = keras.Sequential([keras.Input(SHAPE), *layers])
    keras.utils.set_random_seed(3)
    made = small("cnn")
    for a, b in zip(made.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(made(IMAGES), plain(IMAGES))


def test_convnet_halves_by_strides_or_by_pooling():
    strided = models.convnet((28, 28, 1), 10)
    convolutions = [(x.filters, x.strides[0]) for x in layers_of(strided, keras.layers.Conv2D)]
    assert convolutions == [(32, 1), (32, 2), (64, 1), (64, 2)]
    assert layers_of(strided, keras.layers.MaxPooling2D) == []
    assert [x.units for x in layers_of(strided, keras.layers.Dense)] == [256, 10]
    pooled = models.convnet((28, 28, 1), 10, strided=False)
    assert [x.strides[0] for x in layers_of(pooled, keras.layers.Conv2D)] == [1] * 4
    assert len(layers_of(pooled, keras.layers.MaxPooling2D)) == 2
    shapes = [[m.get_layer(f"stage{i}").output.shape for i in (1, 2)] for m in (strided, pooled)]
    assert shapes[0] == shapes[1] == [(None, 14, 14, 32), (None, 7, 7, 64)]
    assert strided.count_params() == pooled.count_params()


def test_softmax_regression_from_zero_has_learnt_all_that_it_has():
    """Its weights are a sum of training images, so where all images are black there is nothing."""
    model = models.softmax((4, 4, 1), 3, initializer="zeros")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).uniform(size=(12, 4, 4, 1))
    images[:, 0] = 0
    model.fit(images, np.arange(12) % 3, verbose=0)
    kernel = model.layers[-1].kernel.numpy().reshape(4, 4, 3)
    assert (kernel[0] == 0).all()
    assert (kernel[1:] != 0).all()
