"""Two measures of many models against each other: the frontier between robust and private."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from tfinv import specs
from tfinv.errors import UserError, expected
from tfinv.evaluation.frontier import Line, Point
from tfinv.reporting import canvas

# Intervals cross the names.
_HALO = [withStroke(linewidth=2, foreground="white")]


def frontier_plot(
    points: Sequence[Point],
    path: str | os.PathLike,
    *,
    x: str,
    y: str,
    line: Line | None = None,
    level: float = 0.95,
    marks: Mapping[str, float] | None = None,
) -> pathlib.Path:
    """Draws the models as points with their 95 % intervals, and the line of the sweep with the band of its prediction.

    Args:
      points: the swept models, filled and named; those held against the line, hollow and joined to their twins in the sweep; those
        with a flaw, grey crosses.
      path: the PNG to write.
      x: what x is, with its unit.
      y: likewise.
      line: through the swept points; None draws none.
      level: of the band.
      marks: heights with a name, such as what an inversion began with.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_frontier(points, x=x, y=y, line=line, level=level, marks=marks), path)


def draw_frontier(
    points: Sequence[Point],
    *,
    x: str,
    y: str,
    line: Line | None = None,
    level: float = 0.95,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """The figure of `frontier_plot`, not yet written."""
    if not points:
        raise expected("at least one point", "none")
    figure = canvas.new_figure(7.2, 4.8)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.11, right=0.98, top=0.86, bottom=0.12)
    sound = [p for p in points if not p.flaw]
    if line is not None:
        across = np.array([p.x for p in sound])
        grid = np.linspace(across.min(), across.max(), 100)
        low, high = line.prediction(grid, level)
        band = f"{100 * level:.3g} % of further models"
        axes.fill_between(grid, low, high, color=canvas.FAINT, alpha=0.15, linewidth=0, label=band)
        axes.plot(grid, line.at(grid), color=canvas.FAINT, linewidth=1, label=f"r = {line.r:.2f}, n = {line.n}")
    for (name, height), style in zip((marks or {}).items(), (":", "--", "-."), strict=False):
        axes.axhline(height, color=canvas.FAINT, linestyle=style, linewidth=0.9, label=name)
    by_label = {p.label: p for p in points}
    for point in points:
        if (twin := by_label.get(point.twin)) is not None:
            axes.plot([twin.x, point.x], [twin.y, point.y], color=canvas.COLOURS[1], linewidth=0.6, alpha=0.6)
    _draw(axes, [p for p in sound if p.swept], canvas.COLOURS[0], "swept")
    _draw(axes, [p for p in sound if not p.swept], canvas.COLOURS[1], "held against the line", markerfacecolor="white")
    _draw(axes, [p for p in points if p.flaw], canvas.FAINT, "not counted", fmt="x")
    # The line to its twin says which a held one is.
    named = sorted((p for p in points if not p.twin), key=lambda p: p.x)
    texts = [
        axes.text(point.x, point.y, canvas.wrap(text, 34, 2), fontsize=6, color=canvas.INK, path_effects=_HALO)
        for point, text in zip(named, short([p.label for p in named]), strict=True)
    ]
    # The band may reach far beyond what there is: the models, and the marks, set the scale.
    ends = np.array([e for p in points for e in (p.y_interval or (p.y, p.y))] + list((marks or {}).values()))
    margin = 0.06 * float(np.ptp(ends)) or 0.1
    axes.set_ylim(ends.min() - margin, ends.max() + margin)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    # A limit on iterations, not on seconds: the same models give the same picture.
    adjust_text(
        texts,
        x=[p.x for p in points],
        y=[p.y for p in points],
        ax=axes,
        expand=(1.2, 1.5),
        force_pull=(0.1, 0.1),
        min_arrow_len=0,
        iter_lim=500,
        arrowprops={"arrowstyle": "-", "color": canvas.INK, "linewidth": 0.4},
    )
    figure.legend(*axes.get_legend_handles_labels(), fontsize=7, frameon=False, ncols=3, loc="upper center")
    return figure


def short(labels: Sequence[str]) -> list[str]:
    """Text forms without the arguments that are the same in all of their name: "fast(eps=.1)" for "fast(eps=.1,ramp=.5)".

    Args:
      labels: one that is no text form, such as a combination, stays as it is.
    """
    parsed: list[tuple[str, dict[str, Any]] | None] = []
    for label in labels:
        try:
            parsed.append(specs.parse(label))
        except UserError:
            parsed.append(None)
    kept = []
    for label, form in zip(labels, parsed, strict=True):
        others = [other[1] for other in parsed if form and other and other[0] == form[0]]
        if form is None or len(others) == 1:
            kept.append(label)
        else:
            own = {k: v for k, v in form[1].items() if any(k not in given or given[k] != v for given in others)}
            kept.append(specs.written(form[0], own))
    return kept


def _draw(axes: Axes, points: Sequence[Point], colour: str, name: str, fmt: str = "o", **style: Any) -> None:
    if not points:
        return
    x, y = [p.x for p in points], [p.y for p in points]
    bars = {"xerr": _bars(x, [p.x_interval for p in points]), "yerr": _bars(y, [p.y_interval for p in points])}
    axes.errorbar(x, y, **bars, fmt=fmt, color=colour, markersize=5, elinewidth=0.8, label=name, **style)


def _bars(values, intervals):
    """(2, n) lengths below and above; a value without an interval has none."""
    ends = np.array([i or (v, v) for v, i in zip(values, intervals, strict=True)])
    return np.maximum([values - ends[:, 0], ends[:, 1] - values], 0)
