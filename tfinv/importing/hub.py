"""Preprocessors of KerasHub: its classifiers have one in their configuration, which only `predict` and `fit` apply.

The graph of such a model begins behind it, so whoever calls the model has to say what it did.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tfinv.importing.loaded import Loaded

_PIXELS = (0.0, 255.0)
# Settings of an image converter that are known here. Those of a kind of its own may do more to the pixels.
_KNOWN = {
    "name", "trainable", "dtype", "image_size", "height", "width", "scale", "offset", "mean", "variance", "interpolation",
    "antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "bounding_box_format", "data_format",
}  # fmt: skip


def complete(loaded: Loaded, config: Any) -> Loaded:
    """Returns what was read with the preprocessing of its preprocessor, if it is a classifier of KerasHub with one.

    Args:
      loaded: the Keras model.
      config: its configuration.
    """
    if not _is_of_hub(config) or not isinstance(preprocessor := config["config"].get("preprocessor"), dict):
        return loaded
    converter = _converter(preprocessor)
    if converter is None:
        name = preprocessor.get("class_name", "preprocessor")
        missing = f"its {name} is not applied: say with --preprocessing what it does to the pixels"
        return dataclasses.replace(loaded, notes=(*loaded.notes, missing))
    size = converter.get("image_size") or (converter.get("height"), converter.get("width"))
    size = None if None in size else tuple(size)
    notes = () if size is None else (_size_note(size, converter),)
    return dataclasses.replace(
        loaded,
        notes=(*loaded.notes, *notes),
        preprocessing=_text(converter),
        bounds=_PIXELS,
        image_size=size if _takes_any_size(loaded.model) else None,
    )


def _is_of_hub(config: Any) -> bool:
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return False
    return str(config.get("registered_name")).startswith("keras_hub>") or str(config.get("module")).startswith(
        "keras_hub."
    )


def _converter(preprocessor: dict[str, Any]) -> dict[str, Any] | None:
    """The settings of the image converter in a preprocessor, or of one that stands in its place; None for anything else."""
    if _is_of_hub(preprocessor) and not preprocessor["class_name"].endswith("ImageConverter"):
        preprocessor = preprocessor["config"].get("image_converter")
    if not _is_of_hub(preprocessor) or not preprocessor["class_name"].endswith("ImageConverter"):
        return None
    settings = {name: value for name, value in preprocessor["config"].items() if value is not None}
    return settings if settings.keys() <= _KNOWN else None


def _text(converter: dict[str, Any]) -> str | None:
    """The text form of x scale + offset; earlier versions of KerasHub had a mean and a variance in place of the offset."""
    scale, offset = converter.get("scale"), converter.get("offset")
    if converter.get("mean") is not None and converter.get("variance") is not None:
        deviations = [math.sqrt(variance) for variance in converter["variance"]]
        factor = 1.0 if scale is None else scale
        scale = [factor / deviation for deviation in deviations]
        offset = [-mean / deviation for mean, deviation in zip(converter["mean"], deviations, strict=True)]
    parts = [
        f"{name}={','.join(f'{value:.9g}' for value in np.ravel(values))}"
        for name, values in (("scale", scale), ("offset", offset))
        if values is not None
    ]
    return ",".join(parts) or None


def _takes_any_size(model: Any) -> bool:
    return None in model.inputs[0].shape[1:]


def _size_note(size: tuple[int, ...], converter: dict[str, Any]) -> str:
    how = [str(converter.get("interpolation", "bilinear"))]
    how += ["antialiased"] if converter.get("antialias") else []
    how += ["cropped to its shape"] if converter.get("crop_to_aspect_ratio", True) else []
    how += ["padded to its shape"] if converter.get("pad_to_aspect_ratio") else []
    return f"its preprocessor takes images of any size to {size[0]} x {size[1]} ({', '.join(how)}), which is left to the data set"
