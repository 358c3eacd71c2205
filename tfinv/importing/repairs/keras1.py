"""Names of Keras 1 in the terms of Keras 2 and 3: classes, and arguments of layers.

Source: the conversion tables of Keras's own legacy interfaces, from the documentation of Keras 1.2 and 2.0.
"""

from __future__ import annotations

from typing import Any

from tfinv.importing.repairs.context import Unrepairable

_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}
# Argument by argument; those of training are only renamed so that they are dropped as such.
_ARGUMENTS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "beta_init": "beta_initializer",
    "gamma_init": "gamma_initializer",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
}
_OF_CLASS = {
    "Dense": {"output_dim": "units"},
    "Dropout": {"p": "rate"},
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "SpatialDropout3D": {"p": "rate"},
    "Conv1D": {"filter_length": "kernel_size"},
    "MaxPooling1D": {"pool_length": "pool_size", "stride": "strides"},
    "AveragePooling1D": {"pool_length": "pool_size", "stride": "strides"},
    "UpSampling1D": {"length": "size"},
    "LSTM": {"output_dim": "units"},
    "GRU": {"output_dim": "units"},
    "SimpleRNN": {"output_dim": "units"},
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "concat": "Concatenate",
    "ave": "Average",
    "max": "Maximum",
}
_ORDERINGS = {"tf": "channels_last", "th": "channels_first", "default": None}


def modern(class_name: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns a layer's class and arguments in the terms of Keras 2; those of Keras 2 come back as they are.

    Raises:
      Unrepairable: the layer has no counterpart.
    """
    config = dict(config)
    if class_name == "Merge":
        return _merge(config)
    class_name = _CLASSES.get(class_name, class_name)
    names = _ARGUMENTS | _OF_CLASS.get(class_name, {})
    config = {names.get(name, name): value for name, value in config.items()}
    if "dim_ordering" in config:
        config["data_format"] = _ORDERINGS.get(config.pop("dim_ordering"))
    for rows, columns in (("nb_row", "nb_col"),):
        if rows in config:
            config["kernel_size"] = [config.pop(rows), config.pop(columns)]
    if class_name == "BatchNormalization":
        _batch_normalization(config)
    if class_name == "Conv2DTranspose":
        config.pop("output_shape", None)  # follows from the padding, which is checked by the shapes that come after
    return class_name, config


def _batch_normalization(config: dict[str, Any]) -> None:
    mode = config.pop("mode", 0)
    if mode != 0:
        raise Unrepairable(f"a BatchNormalization of mode {mode} of Keras 1, which uses the statistics of each batch")


def _merge(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    mode = config.get("mode")
    if mode not in _MERGES or config.get("layers"):
        raise Unrepairable(f"a Merge layer of Keras 1 of mode {mode!r}")
    arguments = {"name": config.get("name")}
    if mode == "concat":
        arguments["axis"] = config.get("concat_axis", -1)
    return _MERGES[mode], arguments
