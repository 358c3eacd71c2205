"""Grids of images, and of reconstructions beside the training images nearest to them."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tfinv.errors import expected
from tfinv.reporting import canvas
from tfinv.reporting.cells import MISSING

_CELL = 0.9  # inches a picture
_LINE = 0.14  # inches a line of a caption


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """A reconstruction and the training images nearest to it.

    Attributes:
      reconstruction: float image in [0, 1], (height, width, 1 or 3).
      nearest: images of the same kind, the nearest first.
      captions: a short text under each of `nearest`, such as its distance; or none at all. It may have several lines.
    """

    reconstruction: np.ndarray
    nearest: Sequence[np.ndarray]
    captions: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Strip:
    """One cell of a grid: images side by side.

    Attributes:
      images: float in [0, 1], (height, width, 1 or 3); None is a gap.
      captions: a short text under each image, of one line or several; or none at all.
      framed: whether the first image is framed.
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
      rows: row label (a model, say) to its images, float in [0, 1], (height, width, 1 or 3); None is a gap.
      path: the PNG to write.
      columns: column titles (classes, say); none at all, or one a column.
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
    """Draws a grid whose cells pair a reconstruction, framed, with its nearest training images.

    Args:
      rows: row label to its cells; None leaves a gap.
      path: the PNG to write.
      columns: column titles; none at all, or one a column.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, the rows differ in length, or an image is of another kind.
    """
    cells = [(label, [None if c is None else _strip(c) for c in some]) for label, some in rows.items()]
    return canvas.write(draw_grid(cells, columns, title), path)


def draw_grid(rows: Sequence[tuple[str, Sequence[Strip | None]]], columns: Sequence[str], title: str) -> Figure:
    """The figure of a grid of strips, not yet written.

    Args:
      rows: a label and a cell for each column; None leaves a gap.
      columns: column titles; none at all, or one a column.
      title: a line above the grid.

    Raises:
      UserError: there is nothing to draw, the rows differ in length, or an image is of another kind.
    """
    lengths = {len(cells) for _, cells in rows}
    if len(lengths) != 1 or not max(lengths):
        raise expected("rows of one length, at least 1", sorted(lengths))
    across = lengths.pop()
    if columns and len(columns) != across:
        raise expected(f"{across} column titles or none", len(columns))
    filled = [c for _, cells in rows for c in cells if c is not None]
    pictures = [
        max((len(c.images) for _, cells in rows if (c := cells[j]) is not None), default=1) for j in range(across)
    ]
    lines = max((text.count("\n") + 1 for c in filled for text in c.captions if text), default=0)
    captions = lines * _LINE + 0.03 * bool(lines)
    gap, between, line = 0.06, 0.2 if max(pictures) > 1 else 0.06, 0.17
    below = max(between, 0.12 * bool(lines))
    widths = [p * (_CELL + gap) - gap + between for p in pictures]
    heads = [canvas.wrap(c, max(6, int(w / 0.085))) for c, w in zip(columns, widths, strict=False)]
    labels = [canvas.wrap(label, 18, 4) for label, _ in rows]
    left = 0.15 + 0.078 * max(len(part) for label in labels for part in label.split("\n"))
    places = [left + sum(widths[:j]) for j in range(across)]
    above = 0.1 + (0.28 if title else 0) + line * max((h.count("\n") + 1 for h in heads), default=0)
    width = max(left + sum(widths) - between + 0.1, 0.09 * min(len(title), 80) if title else 0)
    height = above + len(rows) * (_CELL + captions + below) - below + 0.1
    figure = canvas.new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    if title:
        axes.text(0.1, 0.08, canvas.wrap(title, 80, 1), fontsize=10, va="top", color=canvas.INK, weight="bold")
    for x, head in zip(places, heads, strict=False):
        axes.text(x, above - 0.05, head, fontsize=9, va="bottom", color=canvas.INK)
    for i, (label, (_, cells)) in enumerate(zip(labels, rows, strict=True)):
        y = above + i * (_CELL + captions + below)
        axes.text(left - 0.1, y + _CELL / 2, label, fontsize=9, va="center", ha="right", color=canvas.INK)
        for x, cell in zip(places, cells, strict=True):
            _draw_strip(axes, cell or Strip((None,)), x, y, _CELL + gap, f"row {label!r}")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return figure


def _strip(cell: Neighbours) -> Strip:
    captions = ("", *cell.captions) if len(cell.captions) else ()
    return Strip((cell.reconstruction, *cell.nearest), captions, framed=bool(len(cell.nearest)))


def _draw_strip(axes: Axes, cell: Strip, x: float, y: float, step: float, what: str) -> None:
    for k, image in enumerate(cell.images):
        if image is None:
            middle = (x + k * step + _CELL / 2, y + _CELL / 2)
            axes.text(*middle, MISSING, ha="center", va="center", color=canvas.FAINT)
        else:
            canvas.draw_image(axes, canvas.check_image(image, what), x + k * step, y, _CELL)
    if cell.framed:
        frame = Rectangle((x, y), _CELL, _CELL, fill=False, edgecolor=canvas.COLOURS[1], linewidth=2, zorder=3)
        axes.add_patch(frame)
    for k, caption in enumerate(cell.captions):
        text = "\n".join(canvas.wrap(part, 14, 1) for part in caption.split("\n"))
        place = (x + k * step + _CELL / 2, y + _CELL + 0.03)
        axes.text(*place, text, fontsize=7.5, ha="center", va="top", color=canvas.INK, linespacing=1.15)
