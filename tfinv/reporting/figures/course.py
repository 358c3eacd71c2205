"""Course of an inversion: cost and confidence over its steps, as rows and as a figure."""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfinv.errors import expected
from tfinv.evaluation.statistics.intervals import mean_interval
from tfinv.reporting.figures import canvas
from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, group, summarise

_MAX_COLUMNS = 3  # panels side by side
_LOG_STEPS = 100  # from so many steps on the axis is logarithmic: most happens early
_AXIS_LABELS = {"cost": "cost", "confidence": "confidence, %"}
_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def course_rows(steps: np.ndarray, cost: np.ndarray, confidence: np.ndarray, **keys: Any) -> list[dict[str, Any]]:
    """Returns rows of kind "course": means over the reconstructions at each recorded step.

    Args:
      steps: (k,) number of steps run, rising.
      cost: (k, n) of each reconstruction; the mean leaves out values that are not finite.
      confidence: (k, n) probability of the class under the attacked model, in [0, 1].
      **keys: further keys of each row: experiment, method, budget, seed.

    Returns:
      k rows; ci95 is Student's t interval of the mean confidence, cut to [0, 1], or None for fewer than two reconstructions.

    Raises:
      UserError: the shapes do not match.
    """
    steps, cost, confidence = np.asarray(steps), np.asarray(cost), np.asarray(confidence)
    if steps.ndim != 1 or cost.ndim != 2 or cost.shape != confidence.shape or len(cost) != len(steps):
        shapes = f"{steps.shape}, {cost.shape} and {confidence.shape}"
        raise expected("steps of shape (k,), cost and confidence of shape (k, n)", shapes)
    rows = []
    for step, costs, confidences in zip(steps, cost, confidence, strict=True):
        finite = costs[np.isfinite(costs)].astype(np.float64)
        interval = mean_interval(confidences)
        rows.append(
            {
                "kind": "course",
                "step": int(step),
                "cost": float(finite.mean()) if len(finite) else None,
                "confidence": float(confidences.mean(dtype=np.float64)),
                "n": len(confidences),
                "ci95": None if interval is None else [max(0.0, interval[0]), min(1.0, interval[1])],
                **keys,
            }
        )
    return rows


def course_plot(rows: Sequence[Row], path: str | os.PathLike) -> pathlib.Path:
    """Draws cost and confidence over the steps: two panels per method and budget, one line per experiment.

    The band is the 95 % interval of the confidence; over several seeds, from the lowest bound to the highest.

    Args:
      rows: rows of kind "course"; others are ignored.
      path: PNG to write.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_course(rows), path)


def draw_course(rows: Sequence[Row]) -> Figure:
    """Returns the figure that `course_plot` writes."""
    rows = [r for r in rows if r.get("kind") == "course"]
    if not rows:
        raise expected("rows of kind 'course'", "none")
    blocks = list(group(rows, "method", "budget").items())
    experiments = [str(e) for e in unique(r["experiment"] for r in rows)]
    columns = min(_MAX_COLUMNS, len(blocks))
    width = max(4.6, 3.1 * columns + 0.5)
    legend_columns = max(1, int(width / (0.55 + 0.08 * min(30, max(map(len, experiments))))))
    legend_rows = math.ceil(len(experiments) / legend_columns)
    legend_height, block_height = 0.15 + 0.2 * legend_rows, 3.9
    figure = canvas.new_figure(width, legend_height + block_height * math.ceil(len(blocks) / columns))
    handles: dict[str, Any] = {}
    for i, ((method, budget), block_rows) in enumerate(blocks):
        block_row, column = divmod(i, columns)
        title = f"{method}, {budget}" if budget else str(method)
        for k, (key, label) in enumerate(_AXIS_LABELS.items()):
            top = legend_height + block_row * block_height + k * 1.65
            panel = _panel(figure, width, top, column, columns)
            for j, experiment in enumerate(experiments):
                runs = [r for r in block_rows if str(r["experiment"]) == experiment]
                if runs:
                    handles[experiment] = _line(panel, runs, key, j)
            _style_axes(panel, label, title if k == 0 else "", max(r["step"] for r in block_rows), lower=k > 0)
    figure.legend(
        [handles[e] for e in experiments],
        [canvas.wrap(e, 30, 1) for e in experiments],
        loc="upper left",
        bbox_to_anchor=(0.3 / width, 1 - 0.02 / figure.get_figheight()),
        ncols=legend_columns,
        frameon=False,
        fontsize=9,
    )
    return figure


def _panel(figure: Figure, width: float, top: float, column: int, columns: int) -> Axes:
    column_width = (width - 0.2) / columns
    total = figure.get_figheight()
    left, height = column * column_width + 0.7, 1.3
    bottom = 1 - (top + 0.45 + height) / total
    return figure.add_axes((left / width, bottom, (column_width - 0.75) / width, height / total))


def _line(panel: Axes, runs: Sequence[Row], key: str, index: int) -> Any:
    scale = 100 if key == "confidence" else 1
    colour = canvas.COLOURS[index % len(canvas.COLOURS)]
    style = _STYLES[index // len(canvas.COLOURS) % len(_STYLES)]
    summaries = [(step, summarise(step_rows, key)) for (step,), step_rows in sorted(group(runs, "step").items())]
    summaries = [(step, s) for step, s in summaries if s.mean is not None]
    band = [(step, scale * s.low, scale * s.high) for step, s in summaries if s.low is not None and s.high is not None]
    if band and key == "confidence":
        edges, lows, highs = (list(part) for part in zip(*band, strict=True))
        panel.fill_between(edges, lows, highs, color=colour, alpha=0.18, linewidth=0)
    points = [(step, scale * (s.mean or 0.0)) for step, s in summaries]
    steps, values = ([p[i] for p in points] for i in (0, 1))
    return panel.plot(steps, values, color=colour, linestyle=style, linewidth=1.6, marker="o", markersize=3)[0]


def _style_axes(panel: Axes, label: str, title: str, last_step: float, *, lower: bool) -> None:
    if title:
        panel.set_title(canvas.wrap(title, 40, 2), fontsize=10, loc="left", color=canvas.INK)
    if last_step >= _LOG_STEPS:
        panel.set_xscale("symlog", linthresh=1, linscale=0.3)
        powers = range(math.floor(math.log10(last_step)) + 1)
        panel.set_xticks([0, *(10**p for p in powers)], ["0", *(f"{10**p:,}" for p in powers)])
        panel.minorticks_off()
        panel.set_xlim(left=-0.15)
    else:
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if lower:
        panel.set_xlabel("step", fontsize=9, color=canvas.INK)
        panel.set_ylim(-3, 103)
        panel.set_yticks([0, 25, 50, 75, 100])
    else:
        panel.tick_params(labelbottom=False)
        panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.set_ylabel(label, fontsize=9, color=canvas.INK)
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0, colors=canvas.INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#bbbbbb")
