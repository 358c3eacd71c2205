"""Matplotlib figures without global state, written atomically: shared by all figures."""

import io
import os
import pathlib
import textwrap
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.reporting.results.rows import readable

INK = "#222222"
FAINT = "#767676"
# Okabe and Ito's colours, which suit every colour vision; without their yellow, too faint for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DPI = 160


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty white figure; width and height are in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """Draws the figure as a PNG."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a dollar sign in a name is a dollar sign
        text.set_text(readable(text.get_text()))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The font shows characters that it lacks as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write(figure: Figure, path: str | os.PathLike) -> pathlib.Path:
    """Writes the figure as a PNG, whole or not at all.

    Raises:
      UserError: the path cannot be written to, or does not end in .png.
    """
    path = paths.expand(path)
    if path.suffix.lower() != ".png":
        raise expected("a path that ends in .png", path)
    png = to_png(figure)
    with files.atomic_path(path) as temporary:
        temporary.write_bytes(png)
    return path


def wrap(text: str, width: int, lines: int = 3) -> str:
    """Wraps a label, within long words too, and cuts it after `lines` lines."""
    return textwrap.fill(readable(str(text)), width, max_lines=lines, placeholder="…", break_long_words=True)


def check_image(image: np.ndarray, source: str) -> np.ndarray:
    """Returns the image if it is float, finite, in [0, 1] and HWC with 1 or 3 channels.

    Args:
      image: to be checked.
      source: of the image, as the error names it.

    Raises:
      UserError: it is another kind of image.
    """
    image = np.asarray(image)
    valid = image.ndim == 3 and image.shape[-1] in (1, 3) and image.size and image.dtype.kind == "f"
    if not valid:
        raise expected(f"float images of shape (height, width, 1 or 3) in {source}", f"{image.dtype} {image.shape}")
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 1:
        raise expected(f"pixels in [0, 1] in {source}", f"[{image.min():.4g}, {image.max():.4g}]")
    return image


def draw_image(axes: Axes, image: np.ndarray, x: float, y: float, size: float) -> None:
    """Draws an image, in its proportions, into a square of side `size` whose upper left corner is (x, y)."""
    height, width = image.shape[:2]
    h, w = size * height / max(height, width), size * width / max(height, width)
    x, y = x + (size - w) / 2, y + (size - h) / 2
    extent = (x, x + w, y + h, y)
    grey = image.shape[-1] == 1
    # The pixels are the evidence, so they are not smoothed. Fixed limits keep images comparable.
    axes.imshow(
        image[..., 0] if grey else image,
        cmap="gray" if grey else None,
        vmin=0,
        vmax=1,
        extent=extent,
        interpolation="nearest",
        aspect="auto",
    )
