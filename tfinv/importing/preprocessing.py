"""Preprocessing that a model's training did outside of the model, as operations in front of it.

A text form is one step, or several joined with `+`, of which the leftmost comes first:

- a network of `keras.applications`, such as `resnet50` or `mobilenet_v2`: what its `preprocess_input` does;
- a mode of `keras.applications.imagenet_utils.preprocess_input`: `caffe`, `tf` or `torch`;
- `mean=.485,.456,.406,std=.229,.224,.225`: less the mean, over the deviation; one number, or one a channel; either may be left out;
- `divide=255`, and `scale=1/127.5,offset=-1`: times the scale, plus the offset;
- `standardise`: each image by its own mean and deviation, as `tf.image.per_image_standardization` does;
- `minmax`: each image from its own least pixel to its largest, to 0..1;
- `invert`: dark for light, in the range that the pixels have there;
- `none`: nothing, also where the file itself says what to do.

All of it is differentiable, so eps stays in units of the pixels.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfinv.errors import UserError, expected
from tfinv.specs import parse_number

Bounds = tuple[float, float]

PIXELS, UNIT = (0.0, 255.0), (0.0, 1.0)
# The networks of keras.applications and its modules by the mode of their preprocess_input, without underscores.
_NETWORKS = {
    "caffe": "resnet resnet50 resnet101 resnet152 vgg16 vgg19",
    "tf": "mobilenet mobilenetv2 resnetv2 resnet50v2 resnet101v2 resnet152v2 inceptionv3 inceptionresnetv2 xception nasnet "
    "nasnetlarge nasnetmobile",
    "torch": "densenet densenet121 densenet169 densenet201",
    "none": "efficientnet efficientnetb0 efficientnetb1 efficientnetb2 efficientnetb3 efficientnetb4 efficientnetb5 "
    "efficientnetb6 efficientnetb7 efficientnetv2 efficientnetv2b0 efficientnetv2b1 efficientnetv2b2 efficientnetv2b3 "
    "efficientnetv2s efficientnetv2m efficientnetv2l mobilenetv3 mobilenetv3small mobilenetv3large convnext convnexttiny "
    "convnextsmall convnextbase convnextlarge convnextxlarge",
}
NETWORKS = {network: mode for mode, networks in _NETWORKS.items() for network in networks.split()}
_MODES = {
    "caffe": "channels in the order BGR, less the means 103.939, 116.779, 123.68",
    "tf": "0..255 to -1..1",
    "torch": "0..255 to 0..1, less the means .485, .456, .406, over the deviations .229, .224, .225",
}
_HINT = "Change --preprocessing; docs/models-you-have.md has all forms."
# Numbers above which a mean, a deviation or an offset is one of 0..255, and the scale below which pixels are.
_MOST_OF_UNIT, _LEAST_OF_UNIT = 2.0, 0.1


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Operations on the pixels, in front of a model.

    Attributes:
      text: the canonical text form.
      bounds: the range of pixels that it takes.
      phrase: what it does, for reports.
      network: whether a network of `keras.applications` or a mode is named, rather than the operations themselves.
      steps: functions of one batch of images, (batch, H, W, C) float32, made of keras.ops.
    """

    text: str
    bounds: Bounds
    phrase: str
    network: bool
    steps: tuple[Callable[[Any], Any], ...] = dataclasses.field(repr=False)

    def apply(self, x: Any) -> Any:
        """Returns the model's input, of the same shape, for a Keras or TensorFlow tensor of images.

        Args:
          x: (batch, H, W, C) float32 in `bounds`.

        Raises:
          UserError: it has numbers for another count of channels.
        """
        for step in self.steps:
            x = step(x)
        return x


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step before it knows the range of its pixels; text, phrase and network as in `Preprocessing`.

    Attributes:
      takes: the range of pixels that it is meant for, or None for any.
      gives: the range of its results by that of its pixels, or None where that isn't known.
      make: the operation, by the range of its pixels.
    """

    text: str
    phrase: str
    takes: Bounds | None
    gives: Callable[[Bounds], Bounds | None]
    make: Callable[[Bounds | None], Callable[[Any], Any]]
    network: bool = False


def parse(text: str, bounds: Bounds | None = None) -> Preprocessing:
    """Returns the preprocessing of a text form.

    Args:
      text: as the module says.
      bounds: the range of the pixels, if it is declared; None for the one that the preprocessing is meant for: 0..255 for networks,
        modes, `divide`, and what is done to each image, and for numbers that are of 0..255; else 0..1.

    Raises:
      UserError: the text is no such form, or inverts pixels whose range can't be known any more.
    """
    parts = [part.strip() for part in re.split(r"(?<![\d.][eE])\+", text)]
    if not all(parts):
        raise expected("preprocessing steps joined with +", repr(text), _HINT)
    steps = [_step(part) for part in parts]
    declared = _meant_for(steps) if bounds is None else bounds
    pixels: Bounds | None = declared
    operations = []
    for step in steps:
        if step.text == "invert" and not pixels:
            raise expected("invert before a step whose results have no fixed range", repr(text), "Put invert first.")
        operations.append(step.make(pixels))
        pixels = step.gives(pixels) if pixels else None
    canonical, named = "+".join(step.text for step in steps), any(step.network for step in steps)
    phrase = f"preprocessing {canonical}: {'; then '.join(step.phrase for step in steps)}"
    return Preprocessing(canonical, declared, phrase, named, tuple(operations))


def front_layer(model: keras.Model) -> str | None:
    """Returns the name and class of a layer that rescales the pixels before a model's first weights; None if there is none.

    A model that has one needs no preprocessing by the name of its network.
    """
    for operation in _operations(model):
        if isinstance(operation, (keras.layers.Rescaling, keras.layers.Normalization)):
            return f"{operation.name} ({type(operation).__name__})"
        if getattr(operation, "weights", None):
            return None
    return None


def _operations(model: keras.Model) -> Any:
    """All operations of a model and of those within, in the order of the graph."""
    for operation in getattr(model, "operations", None) or getattr(model, "layers", []):
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _meant_for(steps: list[_Step]) -> Bounds:
    # None says it of invert alone, of a model without other preprocessing.
    return next((step.takes for step in steps if step.takes is not None), UNIT)


def _step(text: str) -> _Step:
    name = re.sub(r"[_\-\s]", "", text.lower())
    if name in _MODES:
        return _mode(name, name, _MODES[name])
    if name in NETWORKS:
        return _network(name)
    if name in _SIMPLE:
        return _SIMPLE[name]
    numbers = _numbers(text)
    for keys, make in (({"mean", "std"}, _normalise), ({"divide"}, _divide), ({"scale", "offset"}, _affine)):
        if numbers.keys() <= keys:
            return make(numbers)
    raise _unknown(text)


def _unknown(text: str) -> UserError:
    forms = f"resnet50 or caffe, tf, torch, mean=...,std=..., divide=..., scale=...,offset=..., {', '.join(_SIMPLE)}"
    return expected(f"a network of keras.applications such as {forms}, joined with +", repr(text), _HINT)


def _numbers(text: str) -> dict[str, np.ndarray]:
    """The numbers of `mean=1,2,3,std=4` by their names."""
    numbers: dict[str, np.ndarray] = {}
    for part in re.split(r",(?=\s*[A-Za-z_]+\s*=)", text):
        key, equals, values = part.partition("=")
        key = key.strip().lower()
        if not equals or key in numbers:
            raise _unknown(text)
        try:
            numbers[key] = np.array([parse_number(value) for value in values.split(",")], np.float32)
        except UserError as error:
            raise expected(f"numbers separated by commas for {key}", repr(text), _HINT) from error
    for key in ("std", "divide", "scale"):
        if key in numbers and not numbers[key].all():
            raise expected(f"{key} other than 0", repr(text), _HINT)
    return numbers


def _mode(text: str, mode: str, phrase: str) -> _Step:
    def apply(x):
        if mode != "tf" and x.shape[-1] != 3:
            raise expected(f"images of 3 channels for {text}", f"{x.shape[-1]}", _HINT)
        return keras.applications.imagenet_utils.preprocess_input(x, data_format="channels_last", mode=mode)

    ranges = {"tf": lambda pixels: (pixels[0] / 127.5 - 1, pixels[1] / 127.5 - 1)}
    return _Step(text, phrase, PIXELS, ranges.get(mode, lambda _: None), lambda _: apply, network=True)


def _network(name: str) -> _Step:
    mode = NETWORKS[name]
    if mode != "none":
        return _mode(name, mode, f"as {mode} of keras.applications, {_MODES[mode]}")
    phrase = "nothing, for this network rescales its pixels inside, from 0..255"
    return _Step(name, phrase, PIXELS, lambda pixels: pixels, lambda _: lambda x: x, network=True)


def _normalise(numbers: dict[str, np.ndarray]) -> _Step:
    mean, std = numbers.get("mean"), numbers.get("std")
    parts = [f"{key}={_text(numbers[key])}" for key in ("mean", "std") if key in numbers]
    phrases = ["less the mean"] * (mean is not None) + ["over the deviation"] * (std is not None)

    def apply(x):
        if mean is not None:
            x = ops.subtract(x, _per_channel(mean, x))
        return x if std is None else ops.divide(x, _per_channel(std, x))

    largest = max(float(np.abs(values).max()) for values in numbers.values())
    takes = UNIT if largest <= _MOST_OF_UNIT else PIXELS
    return _Step(",".join(parts), ", ".join(phrases), takes, lambda _: None, lambda _: apply)


def _divide(numbers: dict[str, np.ndarray]) -> _Step:
    divisor = numbers["divide"]
    return _Step(
        f"divide={_text(divisor)}",
        f"over {_text(divisor)}",
        PIXELS,
        lambda pixels: _moved(pixels, 1 / divisor, np.zeros(1)),
        lambda _: lambda x: ops.divide(x, _per_channel(divisor, x)),
    )


def _affine(numbers: dict[str, np.ndarray]) -> _Step:
    scale, offset = numbers.get("scale", np.ones(1, np.float32)), numbers.get("offset", np.zeros(1, np.float32))
    text = ",".join(f"{key}={_text(numbers[key])}" for key in ("scale", "offset") if key in numbers)
    large = np.abs(scale).max() < _LEAST_OF_UNIT or np.abs(offset / scale).max() > _MOST_OF_UNIT

    def apply(x):
        return ops.add(ops.multiply(x, _per_channel(scale, x)), _per_channel(offset, x))

    phrase = f"times {_text(scale)}, plus {_text(offset)}"
    gives = lambda pixels: _moved(pixels, scale, offset)  # noqa: E731
    return _Step(text, phrase, PIXELS if large else UNIT, gives, lambda _: apply)


def _standardise(x):
    """(x - mean) / max(deviation, 1 / sqrt(pixels)) of each image; the square root is never of 0, where it has no gradient."""
    axes, count = (1, 2, 3), math.prod(x.shape[1:])
    centred = ops.subtract(x, ops.mean(x, axis=axes, keepdims=True))
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    return ops.divide(centred, ops.sqrt(ops.maximum(variance, 1.0 / count)))


def _minmax(x):
    """(x - least) / (most - least) of each image, and 0 for an image of one grey."""
    axes = (1, 2, 3)
    least, most = ops.min(x, axis=axes, keepdims=True), ops.max(x, axis=axes, keepdims=True)
    return ops.divide(ops.subtract(x, least), ops.maximum(ops.subtract(most, least), 1e-6))


def _inverted(pixels):
    total = float(sum(pixels))
    return lambda x: ops.subtract(total, x)


_OWN_MEAN, _OWN_RANGE = "each image by its own mean and deviation", "each image from its own least and largest pixel"
_SIMPLE = {
    "standardise": _Step("standardise", _OWN_MEAN, PIXELS, lambda _: None, lambda _: _standardise),
    "minmax": _Step("minmax", _OWN_RANGE, PIXELS, lambda _: UNIT, lambda _: _minmax),
    "invert": _Step("invert", "dark for light", None, lambda pixels: pixels, _inverted),
    "none": _Step("none", "nothing", None, lambda pixels: pixels, lambda _: lambda x: x),
}


def _per_channel(values, x):
    """The numbers as they broadcast over (batch, H, W, C)."""
    if len(values) not in (1, x.shape[-1]):
        raise expected(f"one number, or {x.shape[-1]}, one a channel, in --preprocessing", len(values), _HINT)
    return values.reshape(1, 1, 1, -1)


def _moved(pixels, scale, offset):
    """The range of pixels after an affine step; None if the channels differ."""
    ends = [float(p * scale[0] + offset[0]) for p in pixels]
    return (min(ends), max(ends)) if len(scale) == len(offset) == 1 else None


def _text(values):
    return ",".join(np.format_float_positional(value, trim="-") for value in values)
