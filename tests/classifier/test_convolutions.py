"""Gradients of convolutions: of the input alone they are TensorFlow's own, and those of filters are there where they are needed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import convolutions
from tfinv.classifier.gradients import input_gradient

RNG = np.random.default_rng(0)
X, VOLUME = RNG.normal(size=(2, 7, 6, 3)).astype(np.float32), RNG.normal(size=(2, 5, 5, 5, 3)).astype(np.float32)


def filters(*shape):
    return tf.Variable(RNG.normal(size=shape).astype(np.float32))


CONVOLUTIONS = {
    "valid": (X, filters(3, 3, 3, 4), lambda x, k: tf.nn.conv2d(x, k, 1, "VALID")),
    "same, strides": (X, filters(3, 2, 3, 4), lambda x, k: tf.nn.conv2d(x, k, 2, "SAME")),
    "explicit padding": (X, filters(3, 3, 3, 4), lambda x, k: tf.nn.conv2d(x, k, 1, [[0, 0], [1, 2], [0, 1], [0, 0]])),
    "transposed": (X, filters(3, 3, 4, 3), lambda x, k: tf.nn.conv2d_transpose(x, k, (2, 15, 13, 4), 2, "VALID")),
    "depthwise": (X, filters(3, 3, 3, 2), lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME")),
    "3D": (VOLUME, filters(2, 2, 2, 3, 4), lambda x, k: tf.nn.conv3d(x, k, [1, 1, 1, 1, 1], "SAME")),
    "3D transposed": (
        VOLUME,
        filters(2, 2, 2, 4, 3),
        lambda x, k: tf.nn.conv3d_transpose(x, k, (2, 10, 10, 10, 4), 2, "VALID"),
    ),
}


def both_gradients(convolve, x, kernel):
    """Of input and filters, as a training computes them."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.sin(convolve(x, kernel)))
    return tape.gradient(total, [x, kernel])


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_of_the_input_alone(name):
    x, kernel, convolve = CONVOLUTIONS[name]
    operations = []

    def value(x):
        operations.append(tf.compat.v1.get_default_graph())
        return tf.sin(convolve(x, kernel))

    _, gradient = input_gradient(value, tf.constant(x))
    exact, of_filters = both_gradients(convolve, x, kernel)
    np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-4)
    assert np.abs(of_filters).max() > 0
    assert [op.type for op in operations[0].get_operations() if "BackpropFilter" in op.type] == []


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("dilates", [False, None])
def test_dilations_need_no_kernel_of_their_own(dilates, padding, monkeypatch):
    """Whether or not this processor has one."""
    if dilates is not None:
        monkeypatch.setattr(convolutions, "_dilates", lambda: dilates)
    kernel = RNG.normal(size=(2, 3, 3, 4)).astype(np.float32)
    dilated_kernel = np.zeros((3, 7, 3, 4), np.float32)
    dilated_kernel[::2, ::3] = kernel
    x = tf.constant(RNG.normal(size=(2, 9, 8, 3)).astype(np.float32))
    dilated, gradient = input_gradient(lambda x: tf.sin(tf.nn.conv2d(x, kernel, 1, padding, dilations=(2, 3))), x)
    value, exact = input_gradient(lambda x: tf.sin(tf.nn.conv2d(x, dilated_kernel, 1, padding)), x)
    np.testing.assert_allclose(dilated, value, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-4)


def test_a_bias_of_channels_first_is_added_to_channels():
    """Also where the images are as wide as there are channels; compiled or not."""
    x, bias = RNG.normal(size=(2, 3, 4, 3)).astype(np.float32), np.float32([[[[1]], [[2]], [[3]]]])
    for add in (keras.ops.add, tf.function(keras.ops.add)):
        np.testing.assert_array_equal(add(tf.constant(x), tf.constant(bias)), x + bias)


@pytest.mark.parametrize("layer", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
def test_channels_first_need_no_kernel_of_their_own(layer, monkeypatch):
    """Nor do their gradients; each filter sits where it does with channels last."""
    monkeypatch.setattr(convolutions, "_takes_channels_first", lambda: False)
    sizes = (3,) if layer == "DepthwiseConv2D" else (4, (3, 2))
    first, last = (
        getattr(keras.layers, layer)(*sizes, strides=2, padding="same", data_format=f"channels_{order}")
        for order in ("first", "last")
    )
    last.build(X.shape)
    first.build(X.transpose(0, 3, 1, 2).shape)
    last.set_weights([RNG.normal(size=w.shape) for w in last.get_weights()])
    first.set_weights(last.get_weights())
    value, gradient = input_gradient(lambda x: tf.sin(last(x)), tf.constant(X))
    turned, turned_gradient = input_gradient(lambda x: tf.sin(first(x)), tf.constant(X.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(turned.numpy().transpose(0, 2, 3, 1), value, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(turned_gradient.numpy().transpose(0, 2, 3, 1), gradient, rtol=1e-4, atol=1e-4)


def test_second_derivatives():
    x, kernel, convolve = CONVOLUTIONS["same, strides"]

    def slope(x):
        return tf.reduce_sum(input_gradient(lambda x: tf.sin(convolve(x, kernel)), x)[1] ** 2)

    _, gradient = input_gradient(slope, tf.constant(x))
    direction = tf.constant(RNG.normal(size=x.shape).astype(np.float32))
    ends = [float(tf.function(slope)(x + sign * 1e-3 * direction)) for sign in (1, -1)]
    assert float(tf.reduce_sum(gradient * direction)) == pytest.approx((ends[0] - ends[1]) / 2e-3, rel=1e-2)


def test_filters_made_of_the_input_keep_their_gradient():
    """In the function that is differentiated, and in one within."""
    x, kernel, convolve = CONVOLUTIONS["valid"]

    def dynamic(x):
        return tf.sin(convolve(x, kernel * tf.reduce_mean(x)))

    within = tf.function(lambda x: dynamic(x))
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(dynamic(x))
    exact = tape.gradient(total, x)
    for function in (dynamic, within):
        np.testing.assert_allclose(input_gradient(function, x)[1], exact, rtol=1e-4, atol=1e-4)
