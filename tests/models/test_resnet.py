"""Residual networks: depth, size, stem and projections."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from architectures import IMAGES, SHAPE, layers_of
from tfinv import models
from tfinv.errors import UserError


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
    """See https://github.com/uxlfoundation/oneDNN/issues/6035."""
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
