"""Scatter plot of two measures of many models: the frontier between robust and private."""

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
from tfinv.evaluation.frontier.line import Line, Point
from tfinv.reporting.figures import canvas

# Keeps names legible where intervals cross them.
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
    legend: str = "swept",
) -> pathlib.Path:
    """Draws the models as points with their 95 % intervals, and the line of the sweep with the band of its prediction.

    Args:
      points: swept models are filled and named; models compared with the line are hollow and joined to their twins in the sweep;
        models with a flaw are grey crosses.
      path: PNG to write.
      x: label of the x axis, with the unit.
      y: label of the y axis, with the unit.
      line: through the swept points, or None.
      level: of the prediction band.
      marks: named horizontal lines, by their y, such as the Acc@1 of the starts of an inversion.
      legend: name of the filled models.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_frontier(points, x=x, y=y, line=line, level=level, marks=marks, legend=legend), path)


def draw_frontier(
    points: Sequence[Point],
    *,
    x: str,
    y: str,
    line: Line | None = None,
    level: float = 0.95,
    marks: Mapping[str, float] | None = None,
    legend: str = "swept",
) -> Figure:
    """Returns the figure that `frontier_plot` writes."""
    if not points:
        raise expected("at least one point", "none")
    figure = canvas.new_figure(7.2, 4.8)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.11, right=0.98, top=0.86, bottom=0.12)
    valid = [p for p in points if not p.flaw]
    if line is not None:
        xs = np.array([p.x for p in valid])
        grid = np.linspace(xs.min(), xs.max(), 100)
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
    _draw(axes, [p for p in valid if p.swept], canvas.COLOURS[0], legend)
    _draw(axes, [p for p in valid if not p.swept], canvas.COLOURS[1], "held against the line", markerfacecolor="white")
    _draw(axes, [p for p in points if p.flaw], canvas.FAINT, "not counted", fmt="x")
    # A model with a twin needs no name: the line to the twin identifies it.
    named = sorted((p for p in points if not p.twin), key=lambda p: p.x)
    texts = [
        axes.text(point.x, point.y, canvas.wrap(text, 34, 2), fontsize=6, color=canvas.INK, path_effects=_HALO)
        for point, text in zip(named, shorten_labels([p.label for p in named]), strict=True)
    ]
    # The models and the marks set the scale: the band may reach far beyond them.
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


def shorten_labels(labels: Sequence[str]) -> list[str]:
    """Drops the arguments that all specs of the same name share: "fast(eps=.1,ramp=.5)" becomes "fast(eps=.1)".

    Args:
      labels: specs; any other label, such as a combination, stays as it is.
    """
    parsed: list[tuple[str, dict[str, Any]] | None] = []
    for label in labels:
        try:
            parsed.append(specs.parse(label))
        except UserError:
            parsed.append(None)
    short_labels = []
    for label, spec in zip(labels, parsed, strict=True):
        namesakes = [other[1] for other in parsed if spec and other and other[0] == spec[0]]
        if spec is None or len(namesakes) == 1:
            short_labels.append(label)
        else:
            name, arguments = spec
            shared = {k for k, v in arguments.items() if all(k in other and other[k] == v for other in namesakes)}
            short_labels.append(specs.unparse(name, {k: v for k, v in arguments.items() if k not in shared}))
    return short_labels


def _draw(axes: Axes, points: Sequence[Point], colour: str, name: str, fmt: str = "o", **style: Any) -> None:
    if not points:
        return
    x, y = [p.x for p in points], [p.y for p in points]
    bars = {"xerr": _bars(x, [p.x_interval for p in points]), "yerr": _bars(y, [p.y_interval for p in points])}
    axes.errorbar(x, y, **bars, fmt=fmt, color=colour, markersize=5, elinewidth=0.8, label=name, **style)


def _bars(values, intervals):
    """Returns the lengths of the error bars below and above, (2, n); 0 for a value without an interval."""
    ends = np.array([i or (v, v) for v, i in zip(values, intervals, strict=True)])
    return np.maximum([values - ends[:, 0], ends[:, 1] - values], 0)
