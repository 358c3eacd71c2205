"""Two measures of many models against each other: the frontier between robust and private."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tfinv.errors import expected
from tfinv.evaluation.frontier import Line, Point
from tfinv.reporting import canvas


def frontier_plot(
    points: Sequence[Point],
    path: str | os.PathLike,
    *,
    x: str,
    y: str,
    line: Line | None = None,
) -> pathlib.Path:
    """Draws the models as points with their 95 % intervals, and the line of the sweep with the band of its prediction.

    Args:
      points: the swept models, filled, and those held against the line, hollow.
      path: the PNG to write.
      x: what x is, with its unit.
      y: likewise.
      line: through the swept points; None draws none.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_frontier(points, x=x, y=y, line=line), path)


def draw_frontier(points: Sequence[Point], *, x: str, y: str, line: Line | None = None) -> Figure:
    """The figure of `frontier_plot`, not yet written."""
    if not points:
        raise expected("at least one point", "none")
    figure = canvas.new_figure(7.2, 4.6)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.11, right=0.98, top=0.97, bottom=0.13)
    if line is not None:
        across = np.array([p.x for p in points])
        grid = np.linspace(across.min(), across.max(), 100)
        low, high = line.prediction(grid)
        axes.fill_between(grid, low, high, color=canvas.FAINT, alpha=0.15, linewidth=0, label="95 % of further models")
        axes.plot(grid, line.at(grid), color=canvas.FAINT, linewidth=1, label=f"r = {line.r:.2f}, n = {line.n}")
    for swept, colour, name in (
        (True, canvas.COLOURS[0], "swept"),
        (False, canvas.COLOURS[1], "held against the line"),
    ):
        some = [p for p in points if p.swept == swept]
        if not some:
            continue
        axes.errorbar(
            [p.x for p in some],
            [p.y for p in some],
            xerr=_bars([p.x for p in some], [p.x_interval for p in some]),
            yerr=_bars([p.y for p in some], [p.y_interval for p in some]),
            fmt="o",
            color=colour,
            markerfacecolor=colour if swept else "white",
            markersize=5,
            elinewidth=0.8,
            label=name,
        )
    for point in points:
        axes.annotate(
            canvas.wrap(point.label, 34, 2),
            (point.x, point.y),
            textcoords="offset points",
            xytext=(5, 4),
            fontsize=6,
            color=canvas.INK,
        )
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(fontsize=7, frameon=False)
    return figure


def _bars(values, intervals):
    """(2, n) lengths below and above; a value without an interval has none."""
    ends = np.array([i or (v, v) for v, i in zip(values, intervals, strict=True)])
    return np.maximum([values - ends[:, 0], ends[:, 1] - values], 0)
