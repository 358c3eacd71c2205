"""The reimplemented layers: values, gradients and second derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from batch_norm_models import FOLDED, IMAGES, REARRANGED, L, functional, sequence, value_and_gradient
from tfinv.classifier import Classifier


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [(3, 3), (1, 4), (2, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_one_channel_convolution(padding, size, bias):
    layer = L.Conv2D(12, size, padding=padding, use_bias=bias, activation="tanh")
    classifier = Classifier.from_keras(functional(layer, (8, 6, 1)))
    copy = classifier.accelerated()
    assert copy.gradient_source == REARRANGED
    images = IMAGES[..., :1]
    pairs = zip(*(value_and_gradient(fn, images) for fn in (classifier.logits, copy.gradient_logits)), strict=True)
    for exact, copied in pairs:
        np.testing.assert_allclose(copied, exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize(
    "options", [{"strides": 2}, {"dilation_rate": 2}, {"filters": 8}], ids=["strides", "dilation", "few filters"]
)
def test_other_one_channel_convolutions_stay(options):
    layer = L.Conv2D(**{"filters": 12, "kernel_size": 3} | options)
    copy = Classifier.from_keras(functional(layer, (8, 6, 1))).accelerated()
    assert copy.gradient_source == "the model itself"


def test_second_derivatives_pass_through_the_rewritten_layers():
    body = sequence(L.Conv2D(12, 3, activation="tanh"), L.BatchNormalization(), L.Activation("tanh"))
    classifier = Classifier.from_keras(functional(body, (8, 6, 1)))
    copy = classifier.accelerated()
    assert copy.gradient_source == f"{FOLDED}, {REARRANGED}"
    x = tf.constant(IMAGES[..., :1])

    def second(fn):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(fn(x)[:, 0])
            slope = tf.reduce_sum(inner.gradient(total, x) ** 2)
        return outer.gradient(slope, x).numpy()

    expected = second(classifier.logits)
    np.testing.assert_allclose(second(copy.gradient_logits), expected, atol=1e-4 * np.abs(expected).max())
