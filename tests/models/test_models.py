"""Architectures: shapes, the split, and that both halves share the model's weights."""

import importlib
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import models
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (16, 12, 3)
IMAGES = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype(np.float32)
SMALL = {
    "softmax": {},
    "mlp": {"units": 7},
    "cnn": {"filters": (2, 3), "units": 5},
    "convnet": {"filters": (2, 3), "units": 5},
    "vgg16": {"width": 1, "head": (6, 7)},
    "resnet": {"depth": 8, "width": 2},
    "resnet18": {"width": 1},
}


def small(name):
    return models.MODELS[name](SHAPE, 4, **SMALL[name])


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
    ("spec", "normal"),
    [
        ("cnn", "cnn"),
        ("cnn( units = 128 )", "cnn"),
        ("resnet(width = 32, depth=32)", "resnet(depth=32,width=32)"),
        ("vgg16(head=(64, 64), width=16)", "vgg16(width=16)"),
        ("vgg16(head=())", "vgg16(head=())"),
        ("vgg16(head=(9,))", "vgg16(head=(9,))"),
    ],
)
def test_normal_form(spec, normal):
    assert models.normal(spec) == normal
    assert models.normal(normal) == normal
    assert models.name_of(spec) == normal.partition("(")[0]


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
    found = [(x.filters, x.strides[0]) for x in layers_of(strided, keras.layers.Conv2D)]
    assert found == [(32, 1), (32, 2), (64, 1), (64, 2)]
    assert layers_of(strided, keras.layers.MaxPooling2D) == []
    assert [x.units for x in layers_of(strided, keras.layers.Dense)] == [256, 10]
    pooled = models.convnet((28, 28, 1), 10, strided=False)
    assert [x.strides[0] for x in layers_of(pooled, keras.layers.Conv2D)] == [1] * 4
    assert len(layers_of(pooled, keras.layers.MaxPooling2D)) == 2
    shapes = [[m.get_layer(f"stage{i}").output.shape for i in (1, 2)] for m in (strided, pooled)]
    assert shapes[0] == shapes[1] == [(None, 14, 14, 32), (None, 7, 7, 64)]
    assert strided.count_params() == pooled.count_params()


@pytest.mark.parametrize(("stem", "side", "first"), [("auto", 64, 64), ("auto", 96, 24), ("large", 32, 8)])
@pytest.mark.parametrize("preactivation", [False, True])
def test_resnet_stem(stem, side, first, preactivation):
    model = models.resnet18((side, side, 3), 10, width=1, stem=stem, preactivation=preactivation)
    assert [model.get_layer(f"stage{i}").output.shape[1] for i in (1, 2, 3, 4)] == [first >> i for i in range(4)]
    stem = layers_of(model, keras.layers.Conv2D)[0]
    assert (stem.kernel_size, stem.strides) == (((3, 3), (1, 1)) if first == side else ((7, 7), (2, 2)))
    # Those of one pixel only leave pixels out.
    pooled = [x for x in layers_of(model, keras.layers.MaxPooling2D) if x.pool_size != (1, 1)]
    assert len(pooled) == (first != side)
    last = model.get_layer("stage4")
    assert isinstance(last, keras.layers.Add if preactivation else keras.layers.ReLU)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("depth", "convolutions"), [(8, 9), (20, 21), (56, 57)])
def test_resnet_depth(depth, convolutions):
    """The depth counts convolutions and the dense layer, but not the two projections."""
    model = models.resnet((32, 32, 3), 10, depth)
    assert len(layers_of(model, keras.layers.Conv2D)) == convolutions
    assert len(layers_of(model, keras.layers.BatchNormalization)) == convolutions
    assert len(layers_of(model, keras.layers.Add)) == (depth - 2) // 2
    assert [layer.output.shape[1:] for layer in layers_of(model, keras.layers.Add)][-1] == (8, 8, 64)


def test_resnet_sizes():
    """He et al. 2016a, table 6, give 0.27 and 0.85 million with shortcuts without weights; projections add 2,752."""
    assert models.resnet((32, 32, 3), 10, 20).count_params() == 274_042
    assert models.resnet((32, 32, 3), 10, 56).count_params() == 860_026
    assert models.resnet18((32, 32, 3), 10).count_params() == 11_183_562


@pytest.mark.parametrize("make", [models.resnet, models.resnet18])
def test_resnet_options(make):
    for preactivation in (False, True):
        model = make(SHAPE, 4, width=2, batch_norm=False, preactivation=preactivation)
        assert layers_of(model, keras.layers.BatchNormalization) == []
        assert all(layer.use_bias for layer in layers_of(model, keras.layers.Conv2D))
    assert not any(layer.use_bias for layer in layers_of(make(SHAPE, 4, width=2), keras.layers.Conv2D))
    model = make(SHAPE, 4, width=2, preactivation=True)
    # Nothing but additions between the first convolution and the last activation on the identity path (He et al. 2016b).
    assert [type(x) for x in model.layers[-4:]] == [
        keras.layers.BatchNormalization,
        keras.layers.ReLU,
        keras.layers.GlobalAveragePooling2D,
        keras.layers.Dense,
    ]
    assert isinstance(layers_of(model, keras.layers.Add)[-1].input[1]._keras_history.operation, keras.layers.Add)


@pytest.mark.parametrize("preactivation", [False, True])
def test_narrow_resnet_is_the_same_network(preactivation):
    """Its projections leave out pixels before they convolve, where wider ones stride: the same weights, the same logits."""
    narrow = models.resnet((15, 12, 3), 4, depth=8, width=4, preactivation=preactivation)
    convolutions = layers_of(narrow, keras.layers.Conv2D)
    assert [x.strides for x in convolutions if x.kernel_size == (1, 1)] == [(1, 1), (1, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("tfinv.models.resnet"), "_NARROW", 0)
        strided = models.resnet((15, 12, 3), 4, depth=8, width=4, preactivation=preactivation)
    assert len(strided.layers) == len(narrow.layers) - 2
    strided.set_weights(narrow.get_weights())
    images = np.random.default_rng(1).uniform(size=(3, 15, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(narrow(images), strided(images), rtol=1e-4, atol=1e-5)
    wide = layers_of(models.resnet(SHAPE, 4, depth=8), keras.layers.MaxPooling2D)
    assert wide == []


def test_narrow_resnet_has_the_gradient_of_its_weights():
    """oneDNN has a wrong one, and writes past its memory, for narrow 1x1 convolutions with strides."""
    model = models.resnet(SHAPE, 4, depth=8, width=2, batch_norm=False)
    kernel = next(x.kernel for x in layers_of(model, keras.layers.Conv2D) if x.kernel_size == (1, 1))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(IMAGES))
    slope = tape.gradient(total, kernel.value).numpy()
    start, step = kernel.numpy(), 1e-3 * np.sign(slope)
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * step)
        ends.append(float(tf.reduce_sum(model(IMAGES))))
    assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(np.abs(slope).sum(), rel=0.05)


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_resnet_refuses_other_depths(depth):
    with pytest.raises(UserError, match=rf"6n \+ 2.*Received: {depth}"):
        models.resnet(SHAPE, 4, depth)


@pytest.mark.parametrize("encoding", [(5,), (4, 3, 6), (1, 1, 4), (16, 12, 2), (20, 20, 1), (5, 4, 2)])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_decoder_gives_images(encoding, policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        decoder = models.decoder(encoding, SHAPE, units=8)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    images = decoder(np.random.default_rng(1).normal(size=(2, *encoding)).astype(np.float32) * 100)
    assert images.shape == (2, *SHAPE)
    assert images.dtype == "float32"
    assert images.numpy().min() >= 0
    assert images.numpy().max() <= 1


def test_decoder_refuses_other_encodings():
    with pytest.raises(UserError, match=r"\(d,\) or \(h, w, c\)"):
        models.decoder((3, 4), SHAPE)


@pytest.mark.parametrize("shape", [(28, 28, 1), (56, 46, 1), (5, 7, 3), (1, 1, 1)])
def test_generator_and_encoder_fit_any_shape(shape):
    images = np.random.default_rng(0).uniform(size=(2, *shape)).astype(np.float32)
    encoder = models.image_encoder(shape, 6, width=2)
    assert encoder(images).shape == (2, 6)
    generator = models.generator(6, shape, classes=3, width=2)
    assert generator.input_shape == (None, 9)
    assert generator(np.ones((2, 9), np.float32)).shape == (2, *shape)


def test_generator_weights_follow_the_seed():
    first, same, other = (models.generator(3, SHAPE, width=2, seed=seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(first[0], other[0])


def test_autoencoder():
    encoder, decoder = models.autoencoder(SHAPE, latent=5, units=7)
    codes = encoder(IMAGES * 100).numpy()
    assert codes.shape == (4, 5)
    assert codes.min() >= 0
    assert codes.max() <= 1
    assert decoder(codes).shape == (4, *SHAPE)


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
