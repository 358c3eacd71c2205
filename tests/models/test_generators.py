"""Decoders, generators and autoencoders: shapes, ranges and seeds."""

import keras
import numpy as np
import pytest

from architectures import IMAGES, SHAPE
from tfinv import models
from tfinv.errors import UserError


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
