"""Reading and resizing single image files."""

import contextlib
import pathlib
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tfinv.errors import expected

EXTENSIONS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"})
_GREY = frozenset({"1", "L", "LA", "La"})
_DEEP = ("I", "F")  # more than 8 bits a channel, which PIL would clip


def is_grey(file: pathlib.Path) -> bool:
    """Whether the file stores grey levels. A colour file of grey content is not grey.

    Raises:
      UserError: it is no image.
    """
    with _opened(file) as image:
        return image.mode in _GREY


def read(file: pathlib.Path, grey: bool) -> np.ndarray:
    """Reads one image of 8 bits a channel, without its transparency.

    Args:
      file: of a format that PIL knows; of an animation, the first frame.
      grey: whether to give one channel, or RGB.

    Returns:
      (height, width, 1 or 3) uint8.

    Raises:
      UserError: the file is corrupt, truncated, or has more than 8 bits a channel.
    """
    with _opened(file) as image:
        if image.mode.startswith(_DEEP):
            raise expected("images of 8 bits a channel", f"{file} (mode {image.mode})", "Convert it to 8 bits.")
        pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def resize(pixels: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Resizes images with PIL's bilinear filter, which smooths when it shrinks.

    Args:
      pixels: (n, height, width, channels), uint8 or float32.
      image_size: (height, width).

    Returns:
      (n, *image_size, channels) of the same type.

    Raises:
      UserError: the size is not two whole numbers from 1.
    """
    if len(image_size) != 2 or min(image_size) < 1:
        raise expected("an image size of two whole numbers from 1", image_size, "Change --image_size.")
    height, width = image_size
    if pixels.shape[1:3] == (height, width):
        return pixels
    out = np.empty((len(pixels), height, width, pixels.shape[-1]), pixels.dtype)
    for image, target in zip(pixels, out, strict=True):
        for channel in range(pixels.shape[-1]):  # PIL knows floats only as single planes
            plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            target[..., channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
    return np.clip(out, 0, 1) if out.dtype == np.float32 else out


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # PIL's warning comes at half the size that its error comes at
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (
        OSError,
        SyntaxError,
        EOFError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise expected("a readable image", f"{file} ({error})", "Replace or remove that file.") from error
