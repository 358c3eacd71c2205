"""Architectures: shapes, the split, and that both halves share the model's weights."""

import keras
import numpy as np
import pytest

from tfinv import models
from tfinv.errors import UserError

SHAPE = (16, 12, 3)
IMAGES = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype(np.float32)
SMALL = {
    "softmax": {},
    "mlp": {"units": 7},
    "cnn": {"filters": (2, 3), "units": 5},
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
    ("name", "width"), [("softmax", 16 * 12 * 3), ("mlp", 7), ("cnn", 5), ("resnet", 8), ("resnet18", 8)]
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
    with pytest.raises(UserError, match=r"softmax, mlp, cnn, resnet, resnet18.*'vgg'.*--architecture"):
        models.build("vgg", (8, 8, 1), 10)


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
