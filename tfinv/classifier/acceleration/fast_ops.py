"""Reimplementations of two layers whose gradient with respect to the input is cheap on a CPU.

Keras's layers compute everything that training needs. Here weights are constants: an attack needs no gradient of them.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.classifier.graphs import Function

# Exact in float32, so that the variance 1 - _EPSILON normalises by exactly one. Some kernels refuse zero.
_EPSILON = 2.0**-10


def scale_and_shift(scale: np.ndarray, shift: np.ndarray) -> Function:
    """Returns the function x -> scale x + shift, with one scale and shift per channel. Channels are last.

    For images this is batch norm in inference with mean zero and variance one: one fused pass over memory forward and one
    backward. A product and a sum need two or more each, and the fused kernel's gradient also computes those of the weights.

    Args:
      scale: (C,).
      shift: (C,).
    """
    scale, shift = tf.constant(scale, tf.float32), tf.constant(shift, tf.float32)
    zero = tf.zeros_like(shift)
    variance = tf.fill(scale.shape, 1 - _EPSILON)

    def affine(x: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=zero, variance=variance, epsilon=_EPSILON, is_training=False
        ).y

    @tf.custom_gradient
    def fused(x: tf.Tensor) -> Any:
        return affine(x, shift), lambda upstream: affine(upstream, zero)

    def call(x: tf.Tensor) -> tf.Tensor:
        if x.shape.rank == 4 and x.dtype in (tf.float32, tf.bfloat16):
            return fused(x)
        return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)

    return call


def suits_one_channel(layer: Any) -> bool:
    """Whether `one_channel_convolution` supports this convolution, and computes its gradient faster."""
    height, width, channels, filters = layer.kernel.shape
    simple = tuple(layer.strides) == tuple(layer.dilation_rate) == (1, 1) and layer.groups == 1
    return (
        simple
        and channels == 1
        and height * width <= filters
        and layer.data_format == "channels_last"
        and not tf.config.list_logical_devices("GPU")
    )


def one_channel_convolution(layer: keras.layers.Conv2D) -> Function:
    """Returns a convolution of grey images, stride 1, whose input gradient is a matrix product and a sum of shifted images.

    Convolution kernels work on blocks of 8 or 16 channels, of which the gradient of a grey image fills only one.

    Args:
      layer: a built layer for which `suits_one_channel` is true; its current weights are used.
    """
    kernel = tf.cast(tf.convert_to_tensor(layer.kernel), layer.compute_dtype)
    bias = tf.cast(tf.convert_to_tensor(layer.bias), kernel.dtype) if layer.use_bias else None
    height, width, _, filters = kernel.shape
    same = layer.padding == "same"
    top, left = ((height - 1) // 2, (width - 1) // 2) if same else (0, 0)
    taps = tf.transpose(tf.reshape(kernel, (height * width, filters)))

    @tf.custom_gradient
    def convolve(x: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            """Sum over i, j of upstream[u + top - i, v + left - j] . kernel[i, j]."""
            rows, columns = upstream.shape[1:3]
            parts = tf.reshape(tf.reshape(upstream, (-1, filters)) @ taps, (-1, rows, columns, height * width))
            below, right = x.shape[1] + top - rows, x.shape[2] + left - columns
            parts = tf.pad(parts, ((0, 0), (height - 1 - top, below), (width - 1 - left, right), (0, 0)))
            shifted = []
            for tap in range(height * width):
                u, v = height - 1 - tap // width, width - 1 - tap % width
                shifted.append(parts[:, u : u + x.shape[1], v : v + x.shape[2], tap : tap + 1])
            return tf.add_n(shifted)

        return tf.nn.conv2d(x, kernel, 1, layer.padding.upper()), gradient

    def call(x: tf.Tensor) -> tf.Tensor:
        y = convolve(tf.cast(x, kernel.dtype))
        return layer.activation(y if bias is None else tf.nn.bias_add(y, bias))

    return call
