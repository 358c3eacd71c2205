"""Fitting of images to what a model takes: their size and their channels."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from tfinv.catalogue import RESIZING
from tfinv.datasets import images
from tfinv.datasets.dataset import Dataset
from tfinv.errors import expected

_SMOOTHING = {
    images.KERAS: "as Keras does, bilinear without smoothing",
    images.PILLOW: "by Pillow, bilinear with smoothing",
}


@dataclasses.dataclass(frozen=True)
class Form:
    """Form in which a model takes images and labels; what is None is left as it comes.

    Attributes:
      image_size: (height, width) to resize to.
      channels: 1 for grey, 3 for RGB.
      resizing: "keras" or "pillow".
      class_names: names of the classes in the model's order.
      num_classes: number of the model's classes.

    Raises:
      UserError: one of them can't be.
    """

    image_size: tuple[int, int] | None = None
    channels: int | None = None
    resizing: str | None = None
    class_names: tuple[str, ...] | None = None
    num_classes: int | None = None

    def __post_init__(self):
        if self.image_size is not None and (len(self.image_size) != 2 or min(self.image_size) < 1):
            raise expected("an image size of two whole numbers from 1", self.image_size, "Change --image_size.")
        if self.channels not in (None, 1, 3):
            raise expected("1 or 3 channels, or None", self.channels, "Change channels=.")
        if self.resizing not in (None, *RESIZING):
            raise expected(f"resize among {', '.join(RESIZING)}", repr(self.resizing), "Change --resize.")


def fit(dataset: Dataset, form: Form, resizing: str) -> Dataset:
    """Returns the data set with images of the form's size and channels, and a note on each change.

    Args:
      dataset: images in memory.
      form: size and channels.
      resizing: "keras" or "pillow", where the form doesn't say.
    """
    resizing, pixels, notes = form.resizing or resizing, np.asarray(dataset.pixels), list(dataset.notes)
    if form.channels is not None and pixels.shape[-1] != form.channels:
        notes.append(channels_note(pixels.shape[-1]))
        # Of grey images one channel is resized, of RGB ones grey is made before.
        pixels = images.with_channels(pixels, form.channels) if form.channels == 1 else pixels
    if form.image_size is not None and tuple(form.image_size) != pixels.shape[1:3]:
        notes.append(size_note([pixels.shape[1:3]], form.image_size, resizing))
        pixels = images.resize(pixels, form.image_size, resizing)
    if form.channels is not None:
        pixels = images.with_channels(pixels, form.channels)
    return dataclasses.replace(dataset, pixels=pixels, notes=tuple(notes))


def channels_note(channels: int, decoder: str = "") -> str:
    """Returns the phrase on images whose channels were changed.

    Args:
      channels: those of the images before.
      decoder: a phrase on the decoder that did it; "" for the usual weights.
    """
    if channels == 1:
        return "grey images, repeated as RGB for the model"
    return f"RGB images, turned into grey for the model{decoder}"


def size_note(sizes: Iterable[Sequence[int]], image_size: Sequence[int], resizing: str) -> str:
    """Returns the phrase on images that were resized.

    Args:
      sizes: (height, width) of those before.
      image_size: that of all, after.
      resizing: "keras" or "pillow".
    """
    different = sorted({tuple(s) for s in sizes})
    height, width = different[0]
    before = f"{height}x{width}" if len(different) == 1 else f"{len(different)} sizes, such as {height}x{width},"
    other = images.PILLOW if resizing == images.KERAS else images.KERAS
    return f"resized from {before} to {image_size[0]}x{image_size[1]} {_SMOOTHING[resizing]} (--resize={other} for the other way)"
