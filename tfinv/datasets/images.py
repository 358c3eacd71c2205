"""Reading and resizing of image files: as Keras's `image_dataset_from_directory` does, or by Pillow.

Keras decodes with TensorFlow, whose JPEG decoder is faster and less exact than Pillow's, and resizes without smoothing: a model
that was trained through Keras knows such pixels.
"""

import contextlib
import dataclasses
import pathlib
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from tfinv.errors import UserError, expected

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
KERAS, PILLOW = "keras", "pillow"
# Pillow's names of the formats that Keras reads; MPO is a JPEG with a second picture behind it.
_OF_KERAS = frozenset({"BMP", "GIF", "JPEG", "MPO", "PNG"})
_GREY = frozenset({"1", "L", "LA", "La"})
# What Pillow raises for damaged files of its many formats.
_DAMAGED = (
    OSError, SyntaxError, EOFError, ValueError, IndexError, TypeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_DEEP = ("I", "F")  # modes of more than 8 bits per channel, which PIL would clip


@dataclasses.dataclass(frozen=True)
class Header:
    """Format of an image file, as its first bytes say.

    Attributes:
      format: Pillow's name, such as "JPEG".
      size: (height, width).
      grey: whether the file stores grey levels. A colour file with grey content is not grey.
      deep: whether it has more than 8 bits a channel.
    """

    format: str
    size: tuple[int, int]
    grey: bool
    deep: bool


def read_header(file: pathlib.Path) -> Header:
    """Reads the format of a file.

    Raises:
      UserError: the file is not an image, or so large that it may be an attack.
    """
    try:
        with warnings.catch_warnings():
            # PIL warns at half the size at which it raises an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                deep = image.mode.startswith(_DEEP)
                grey = image.mode in _GREY or deep
                return Header(image.format or "", (image.height, image.width), grey, deep)
    except (*_DAMAGED, Image.DecompressionBombWarning) as error:
        raise unreadable(file, error) from error


def read(file: pathlib.Path, header: Header, channels: int, resizing: str) -> tuple[np.ndarray, str]:
    """Reads one image of 8 bits per channel, without transparency; of an animation, the first frame.

    Args:
      file: of a format that Pillow supports.
      header: its own.
      channels: 1 or 3.
      resizing: "keras" to decode as Keras does, with which a 16-bit PNG becomes its upper 8 bits, or "pillow".

    Returns:
      (height, width, channels) uint8; and which of the two decoded it: Pillow also what TensorFlow can't.

    Raises:
      UserError: the file is corrupt, truncated, or has more than 8 bits per channel.
    """
    if resizing == KERAS and header.format in _OF_KERAS:
        try:
            return _decode(file, channels), KERAS
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            pass  # among others a GIF or a BMP of other channels than asked for
    with _opened(file) as image:
        if image.mode.startswith(_DEEP):
            raise expected("images of 8 bits a channel", f"{file} (mode {image.mode})", "Convert it to 8 bits.")
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return (pixels[..., None] if channels == 1 else pixels), PILLOW


def resize(pixels: np.ndarray, image_size: tuple[int, int], resizing: str) -> np.ndarray:
    """Resizes images with a bilinear filter.

    Args:
      pixels: (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1].
      image_size: (height, width).
      resizing: "keras" for that of `tf.image.resize`, which doesn't smooth and doesn't round; "pillow" for that of Pillow, which
        smooths where it shrinks, and rounds.

    Returns:
      (n, *image_size, channels): float32 in [0, 1] by Keras, of the same type by Pillow, and as they are if they have that size.

    Raises:
      UserError: the size is not two whole numbers from 1.
    """
    if len(image_size) != 2 or min(image_size) < 1:
        raise expected("an image size of two whole numbers from 1", image_size, "Change --image_size.")
    height, width = image_size
    if pixels.shape[1:3] == (height, width):
        return pixels
    shape = (len(pixels), height, width, pixels.shape[-1])
    if resizing == KERAS:
        resized = np.empty(shape, np.float32)
        scale = np.float32(255 if pixels.dtype == np.uint8 else 1)
        with tf.device("cpu"):  # as tf.data: an accelerator would round otherwise
            for image, target in zip(pixels, resized, strict=True):
                target[...] = tf.image.resize(image, image_size, "bilinear").numpy() / scale
        return np.clip(resized, 0, 1)
    resized = np.empty(shape, pixels.dtype)
    for image, target in zip(pixels, resized, strict=True):
        for channel in range(pixels.shape[-1]):  # PIL supports floats only in single channels
            channel_image = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            target[..., channel] = np.asarray(channel_image.resize((width, height), Image.Resampling.BILINEAR))
    return np.clip(resized, 0, 1) if resized.dtype == np.float32 else resized


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Repeats grey images as RGB, or turns RGB ones into grey with the usual weights (ITU-R 601: .299, .587, .114).

    Args:
      pixels: (n, height, width, 1 or 3), uint8 or float32.
      channels: 1 or 3.

    Returns:
      (n, height, width, channels) of the same type.
    """
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    grey = np.empty((*pixels.shape[:-1], 1), pixels.dtype)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    for image, target in zip(pixels, grey, strict=True):
        levels = image.astype(np.float32) @ weights
        target[..., 0] = np.rint(levels) if pixels.dtype == np.uint8 else np.clip(levels, 0, 1)
    return grey


def unreadable(file: pathlib.Path, error: Exception) -> UserError:
    """Returns the error for a file that is no image, or a damaged one."""
    reason = "not an image" if isinstance(error, UnidentifiedImageError) else error
    return expected("a readable image", f"{file} ({reason})", "Replace or remove that file.")


def _decode(file: pathlib.Path, channels: int) -> np.ndarray:
    """Decodes with the operation and the arguments of `keras.utils.image_dataset_from_directory`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    with tf.device("cpu"):
        return tf.io.decode_image(content, channels=channels, expand_animations=False).numpy()


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Image.Image]:
    """Opens a file whose header was read: of several threads none may change how warnings are treated."""
    try:
        with Image.open(file) as image:
            yield image
    except UserError:
        raise
    except _DAMAGED as error:
        raise unreadable(file, error) from error
