"""Grids of images, and of reconstructions beside their nearest training images."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.tables.cells import MISSING

_CELL = 0.9  # side of a picture, inches
_LINE = 0.14  # height of a line of a caption, inches


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """A reconstruction and its nearest training images.

    Attributes:
      reconstruction: float image in [0, 1], (height, width, 1 or 3).
      nearest: images of the same kind, nearest first.
      captions: texts under the images of `nearest`, such as their distances, of one line or several; or none at all.
    """

    reconstruction: np.ndarray
    nearest: Sequence[np.ndarray]
    captions: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Strip:
    """One cell of a grid: images side by side.

    Attributes:
      images: float in [0, 1], (height, width, 1 or 3); None is a gap.
      captions: texts under the images, of one line or several; or none at all.
      framed: whether the first image has a frame.
    """

    images: Sequence[np.ndarray | None]
    captions: Sequence[str] = ()
    framed: bool = False


def image_grid(
    rows: Mapping[str, Sequence[np.ndarray | None]],
    path: str | os.PathLike,
    *,
    columns: Sequence[str] = (),
    title: str = "",
) -> pathlib.Path:
    """Draws a grid of images.

    Args:
      rows: images by row label (such as a model), float in [0, 1], (height, width, 1 or 3); None is a gap.
      path: PNG to write.
      columns: column titles (such as classes), or none at all.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, the rows differ in length, or an image is of another kind.
    """
    cells = [(label, [None if i is None else Strip((i,)) for i in images]) for label, images in rows.items()]
    return canvas.write(draw_grid(cells, columns, title), path)


def neighbour_grid(
    rows: Mapping[str, Sequence[Neighbours | None]],
    path: str | os.PathLike,
    *,
    columns: Sequence[str] = (),
    title: str = "",
) -> pathlib.Path:
    """Draws a grid of reconstructions, framed, each with its nearest training images.

    Args:
      rows: cells by row label; None is a gap.
      path: PNG to write.
      columns: column titles, or none at all.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, the rows differ in length, or an image is of another kind.
    """
    cells = [(label, [None if n is None else _strip(n) for n in neighbours]) for label, neighbours in rows.items()]
    return canvas.write(draw_grid(cells, columns, title), path)


def draw_grid(rows: Sequence[tuple[str, Sequence[Strip | None]]], columns: Sequence[str], title: str) -> Figure:
    """Returns the figure of a grid of strips.

    Args:
      rows: label, and a cell for each column; None is a gap.
      columns: column titles, or none at all.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, the rows differ in length, or an image is of another kind.
    """
    lengths = {len(cells) for _, cells in rows}
    if len(lengths) != 1 or not max(lengths):
        raise expected("rows of one length, at least 1", sorted(lengths))
    column_count = lengths.pop()
    if columns and len(columns) != column_count:
        raise expected(f"{column_count} column titles or none", len(columns))
    captions = [text for _, cells in rows for cell in cells if cell is not None for text in cell.captions]
    image_counts = [
        max((len(c.images) for _, cells in rows if (c := cells[j]) is not None), default=1) for j in range(column_count)
    ]
    lines = max((text.count("\n") + 1 for text in captions if text), default=0)
    caption_height = lines * _LINE + 0.03 * bool(lines)
    image_gap, column_gap, title_line = 0.06, 0.2 if max(image_counts) > 1 else 0.06, 0.17
    row_gap = max(column_gap, 0.12 * bool(lines))
    widths = [n * (_CELL + image_gap) - image_gap + column_gap for n in image_counts]
    titles = [canvas.wrap(c, max(6, int(w / 0.085))) for c, w in zip(columns, widths, strict=False)]
    labels = [canvas.wrap(label, 18, 4) for label, _ in rows]
    left = 0.15 + 0.078 * max(len(line) for label in labels for line in label.split("\n"))
    lefts = [left + sum(widths[:j]) for j in range(column_count)]
    top = 0.1 + (0.28 if title else 0) + title_line * max((t.count("\n") + 1 for t in titles), default=0)
    width = max(left + sum(widths) - column_gap + 0.1, 0.09 * min(len(title), 80) if title else 0)
    height = top + len(rows) * (_CELL + caption_height + row_gap) - row_gap + 0.1
    figure = canvas.new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    if title:
        axes.text(0.1, 0.08, canvas.wrap(title, 80, 1), fontsize=10, va="top", color=canvas.INK, weight="bold")
    for x, column_title in zip(lefts, titles, strict=False):
        axes.text(x, top - 0.05, column_title, fontsize=9, va="bottom", color=canvas.INK)
    for i, (label, (_, cells)) in enumerate(zip(labels, rows, strict=True)):
        y = top + i * (_CELL + caption_height + row_gap)
        axes.text(left - 0.1, y + _CELL / 2, label, fontsize=9, va="center", ha="right", color=canvas.INK)
        for x, cell in zip(lefts, cells, strict=True):
            _draw_strip(axes, cell or Strip((None,)), x, y, _CELL + image_gap, f"row {label!r}")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return figure


def _strip(neighbours: Neighbours) -> Strip:
    captions = ("", *neighbours.captions) if len(neighbours.captions) else ()
    images = (neighbours.reconstruction, *neighbours.nearest)
    return Strip(images, captions, framed=bool(len(neighbours.nearest)))


def _draw_strip(axes: Axes, strip: Strip, x: float, y: float, step: float, source: str) -> None:
    for k, image in enumerate(strip.images):
        if image is None:
            centre = (x + k * step + _CELL / 2, y + _CELL / 2)
            axes.text(*centre, MISSING, ha="center", va="center", color=canvas.FAINT)
        else:
            canvas.draw_image(axes, canvas.check_image(image, source), x + k * step, y, _CELL)
    if strip.framed:
        frame = Rectangle((x, y), _CELL, _CELL, fill=False, edgecolor=canvas.COLOURS[1], linewidth=2, zorder=3)
        axes.add_patch(frame)
    for k, caption in enumerate(strip.captions):
        text = "\n".join(canvas.wrap(line, 14, 1) for line in caption.split("\n"))
        position = (x + k * step + _CELL / 2, y + _CELL + 0.03)
        axes.text(*position, text, fontsize=7.5, ha="center", va="top", color=canvas.INK, linespacing=1.15)
