"""Copies of single layers, in another precision or with the following batch norm folded into their weights."""

import inspect
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Weights whose last axis is the output channels; for the depthwise kernel it is the last two axes.
_KERNELS = {
    keras.layers.Conv2D: "kernel",
    keras.layers.Dense: "kernel",
    keras.layers.DepthwiseConv2D: "kernel",
    keras.layers.SeparableConv2D: "pointwise_kernel",
}


def can_fold(layer: Any) -> bool:
    """Whether `rebuild` can fold a batch norm into the weights of this layer."""
    linear = getattr(layer, "activation", None) is keras.activations.linear
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return type(layer) in _KERNELS and linear and channels_last and is_known(layer)


def is_known(layer: Any) -> bool:
    """Whether a layer is one of Keras's that is fully described by its configuration and weights."""
    module = type(layer).__module__
    return (
        module.startswith("keras.src.layers.")
        and not module.startswith("keras.src.layers.preprocessing.")
        and not isinstance(layer, (keras.layers.Wrapper, keras.layers.RNN, keras.layers.Lambda))
        and not isinstance(getattr(layer, "activation", None), keras.Layer)
        and getattr(layer, "quantization_mode", None) is None
        and not getattr(layer, "lora_enabled", False)
    )


def scale_and_shift(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (C,) float64 scale and shift of a batch norm in inference."""
    mean, variance = (np.asarray(w, np.float64) for w in (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.gamma is not None:
        scale = scale * np.asarray(norm.gamma, np.float64)
    shift = -mean * scale
    return scale, shift if norm.beta is None else shift + np.asarray(norm.beta, np.float64)


def rebuild(layer: Any, precision: str | None, norm: Any = None) -> Any:
    """Returns a new layer with the same weights, in another precision unless None, with a batch norm folded in unless None."""
    with warnings.catch_warnings():  # about lambdas, which are not going to be saved
        warnings.simplefilter("ignore")
        config = layer.get_config()
    for name in config:
        if name.endswith("_initializer"):  # other initializers would advance Python's random numbers
            config[name] = "zeros"
        elif name.endswith(("_regularizer", "_constraint")):
            config[name] = None
    if precision:
        config["dtype"] = precision
    if norm is not None:
        config["use_bias"] = True
    if "activation" in config:
        config["activation"] = None  # it may be a function that cannot be serialized
    copy = type(layer).from_config(config)
    if "activation" in config:
        copy.activation = layer.activation
    if layer.weights:
        copy.build_from_config(layer.get_build_config())
    # A bias that only the copy has comes last, and is set below.
    for weight, value in zip(copy.weights, layer.weights, strict=norm is None):
        weight.assign(value)
    if norm is not None:
        scale, shift = scale_and_shift(norm)
        kernel, bias = getattr(layer, _KERNELS[type(layer)]), layer.bias if layer.use_bias else 0.0
        channels = kernel.shape[-2:] if type(layer) is keras.layers.DepthwiseConv2D else kernel.shape[-1:]
        folded = np.asarray(kernel, np.float64) * scale.reshape(channels)
        getattr(copy, _KERNELS[type(layer)]).assign(folded)
        copy.bias.assign(shift + scale * np.asarray(bias, np.float64))
    return copy


def in_inference(layer: Any, cast: bool) -> Any:
    """Returns a layer in inference mode, whatever the call in the graph says; `cast` casts inputs to its precision."""
    training = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}

    def convert(value: Any) -> Any:
        differs = tf.is_tensor(value) and value.dtype.is_floating and value.dtype != layer.compute_dtype
        return tf.cast(value, layer.compute_dtype) if differs else value

    def call(*args: Any, **kwargs: Any) -> Any:
        if cast:
            args, kwargs = keras.tree.map_structure(convert, (args, kwargs))
        return layer(*args, **kwargs | training)

    return call
