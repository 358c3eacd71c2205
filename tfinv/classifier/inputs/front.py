"""The form in which a model takes images, made out of (n, H, W, C) float32 images within bounds.

Whatever a model's input is (without channels, channels first, flat, of any size, of whole numbers, for one batch size), a front of
keras.ops turns images into it, for Keras and TensorFlow tensors alike. All that it does is a note.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras

from tfinv.classifier.validation import Shape
from tfinv.errors import expected

Sizes = tuple[int | None, ...]
_COLOURS = (1, 3)
_CHANNELS = (1, 2, 3, 4)
_SIZE_HINT = "Change image_size= or --image_size to the height and width of the images, as in 224,224."
_FIX_HINT = "Leave out image_size= or --image_size, or change it to {0},{1}."


@dataclasses.dataclass(frozen=True)
class Front:
    """Operations that turn images into the input of a model.

    Attributes:
      shape: (H, W, C) of the images.
      steps: functions of keras.ops, in their order; the first takes (n, H, W, C) float32.
      notes: what they do, each a phrase for reports.
    """

    shape: Shape
    steps: tuple[Callable[[Any], Any], ...] = ()
    notes: tuple[str, ...] = ()

    def __call__(self, x: Any) -> Any:
        """Returns the input of the model for a Keras or TensorFlow tensor of images."""
        for step in self.steps:
            x = step(x)
        return x


@dataclasses.dataclass(frozen=True)
class Wishes:
    """How the images of a model are to be prepared, as its owner says.

    Attributes:
      image_size: (H, W), for a model that takes any, or flat images.
      channels: "bgr" if the model was trained on images with the channels in this order.
      preprocessing: function of keras.ops from images to images, or an object that has it as `apply` and a phrase for reports as
        `phrase`; None for nothing.
    """

    image_size: tuple[int, int] | None = None
    channels: str = "rgb"
    preprocessing: Any = None


def make_front(shape: Sizes, dtype: str, wishes: Wishes) -> Front:
    """Returns the operations in front of a model.

    Args:
      shape: of its input, without the batch; None for sizes that are free.
      dtype: of its input.
      wishes: what else is done to the images.

    Raises:
      UserError: the input is no image, or its size is not known.
    """
    received = f"an input of shape {(None, *shape)} and type {dtype}"
    if "float" not in dtype and "int" not in dtype:
        raise expected(
            "a model of images, which are numbers",
            received,
            f"Build it on numbers: keras.Input({tuple(shape)}, dtype='float32').",
        )
    form = _form(shape, wishes.image_size, received)
    steps, notes = list(form.steps), list(form.notes)
    if wishes.preprocessing is not None:
        steps.insert(0, getattr(wishes.preprocessing, "apply", wishes.preprocessing))
        notes.append(getattr(wishes.preprocessing, "phrase", "a function of yours in front of the model"))
    if wishes.channels == "bgr":
        if form.shape[-1] != 3:
            raise expected(
                'images of 3 channels for channels="bgr"', f"images of {form.shape[-1]}", "Leave out --channels."
            )
        steps.insert(0, lambda x: keras.ops.flip(x, axis=-1))
        notes.append("channels reversed, from RGB to the model's BGR")
    elif wishes.channels != "rgb":
        raise expected('channels "rgb" or "bgr"', repr(wishes.channels), "Change channels= or --channels.")
    return Front(form.shape, tuple(steps), tuple(notes))


def _form(shape: Sizes, image_size: tuple[int, int] | None, received: str) -> Front:
    """The front that gives images the axes of a model's input."""
    if len(shape) == 4 and shape[0] == 1:
        inner = _form(shape[1:], image_size, received)
        steps = (*inner.steps, lambda x: keras.ops.expand_dims(x, axis=1))
        return Front(
            inner.shape, steps, (*inner.notes, "an axis of size 1 added, for a model of one image in a sequence")
        )
    if len(shape) == 3:
        if _has_channels_first(shape):
            channels, height, width = shape
            form = _channels_last((height, width, channels), image_size, received)
            steps = (lambda x: keras.ops.transpose(x, (0, 3, 1, 2)),)
            return Front(form.shape, steps, (*form.notes, "channels moved to the front, where the model takes them"))
        return _channels_last(shape, image_size, received)
    if len(shape) == 2 and not _is_rows_of_pixels(shape, image_size):
        form = _channels_last((*shape, 1), image_size, received)
        note = "images given to the model without an axis of channels"
        return Front(form.shape, (lambda x: keras.ops.squeeze(x, axis=-1),), (*form.notes, note))
    if len(shape) in (1, 2) and shape[0] is not None:
        return _flat(shape, image_size, received)
    raise expected(
        "a model of images: (batch, height, width, channels)",
        received,
        "Put a layer that takes images in front: keras.Sequential([keras.Input((height, width, channels)), ..., model]).",
    )


def _has_channels_first(shape: Sizes) -> bool:
    return shape[0] in (*_COLOURS, 4) and shape[2] not in _CHANNELS


def _is_rows_of_pixels(shape: Sizes, image_size: tuple[int, int] | None) -> bool:
    """Whether (pixels, channels) is meant, rather than (height, width)."""
    pixels, channels = shape
    if channels not in _COLOURS or pixels is None or pixels in _CHANNELS:
        return False
    return math.isqrt(pixels) ** 2 == pixels or (image_size is not None and math.prod(image_size) == pixels)


def _channels_last(shape: Sizes, image_size: tuple[int, int] | None, received: str) -> Front:
    height, width, channels = shape
    notes = []
    if channels is None:
        channels = 3
        notes.append("images of 3 channels, for a model that takes any number of them")
    if image_size is None:
        if height is None or width is None:
            raise expected("images of a fixed height and width, all but the batch fixed", received, _SIZE_HINT)
        return Front((height, width, channels), notes=tuple(notes))
    free = [size is None or size == other for size, other in zip((height, width), image_size, strict=True)]
    if not all(free):
        hint = _FIX_HINT.format(*(size or "WIDTH" for size in (height, width)))
        raise expected("the model's image size", f"{image_size} for {received}", hint)
    if None in (height, width):
        notes.insert(0, f"images of {image_size[0]} x {image_size[1]}, for a model that takes any size")
    return Front((*image_size, channels), notes=tuple(notes))


def _flat(shape: Sizes, image_size: tuple[int, int] | None, received: str) -> Front:
    """Images whose pixels a model takes in one row, or as (pixels, channels)."""
    values = math.prod(size or 0 for size in shape)
    for channels in _COLOURS if len(shape) == 1 else (shape[1] or 1,):
        side = math.isqrt(values // channels)
        size = image_size or (side, side)
        if math.prod(size) * channels == values and min(size) > 1:
            note = f"images of {size[0]} x {size[1]} x {channels} flattened, row by row"
            return Front((*size, channels), (lambda x: keras.ops.reshape(x, (-1, *shape)),), (note,))
    raise expected(
        "a model of images: (batch, height, width, channels), or flat square ones of 1 or 3 channels",
        received,
        _SIZE_HINT,
    )
