"""Accuracy over eps, a panel for each experiment."""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.results.rows import attack_names, is_artefact, unique
from tfinv.reporting.results.summary import Row, group, number, summarise

# A figure of this name in the results replaces the one that a view draws.
CURVES = "accuracy_curves"

_MAX_COLUMNS = 4  # panels side by side


def accuracy_curves(rows: Sequence[Row], path: str | os.PathLike, *, chance: float | None = None) -> pathlib.Path:
    """Draws accuracy over eps: one panel per experiment, one line per attack.

    The band of a line is the 95 % interval; over several seeds, from the lowest bound to the highest. Artefacts are dashed.
    Every other line has the clean accuracy as its point at eps 0.

    Args:
      rows: rows of kind "accuracy"; others are ignored.
      path: PNG to write.
      chance: accuracy of guessing, drawn as a line.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_accuracy_curves(rows, chance=chance), path)


def draw_accuracy_curves(rows: Sequence[Row], *, chance: float | None = None) -> Figure:
    """Returns the figure that `accuracy_curves` writes."""
    rows = [r for r in rows if r.get("kind", "accuracy") == "accuracy"]
    names = attack_names(rows)
    attacks = [n for n in unique(names) if n != "clean"]
    artefacts = {n for n, r in zip(names, rows, strict=True) if is_artefact(r)}
    experiments = unique(r["experiment"] for r in rows)
    if not attacks:
        raise expected("rows of kind 'accuracy' under at least one attack", f"{len(rows)} rows without")
    lines = group([dict(r) | {"attack": n} for r, n in zip(rows, names, strict=True)], "experiment", "attack")
    columns = min(_MAX_COLUMNS, len(experiments))
    panel_rows = math.ceil(len(experiments) / columns)
    width = max(4.6, 2.45 * columns + 0.75)
    entries = len(attacks) + any(r.get("poster") is not None for r in rows) + (chance is not None)
    legend_rows = math.ceil(entries / max(1, int(width / 1.5)))
    legend_height, panel_height = 0.32 + 0.22 * legend_rows, 2.1
    figure = canvas.new_figure(width, legend_height + (panel_height + 0.35) * panel_rows + 0.35)
    panels = figure.subplots(panel_rows, columns, sharex=True, sharey=True, squeeze=False)
    total = figure.get_figheight()
    figure.subplots_adjust(left=0.62 / width, right=1 - 0.2 / width, wspace=0.12, hspace=0.22)
    figure.subplots_adjust(top=1 - (legend_height + 0.15) / total, bottom=0.52 / total)
    handles: dict[str, Any] = {}
    for panel, experiment in zip(panels.flat, experiments, strict=False):
        clean = lines.get((experiment, "clean"), [])
        for i, attack in enumerate(attacks):
            points = list(lines.get((experiment, attack), []))
            if not points:
                continue
            if attack not in artefacts and all(r["eps"] for r in points):
                points += [r for r in clean if not r["eps"]]
            dashed = attack in artefacts
            handles[attack] = _curve(panel, points, canvas.COLOURS[i % len(canvas.COLOURS)], dashed)
        posters = {(r["eps"], number(r, "poster")) for r in rows if r["experiment"] == experiment}
        poster_points = [(eps, poster) for eps, poster in posters if poster is not None]
        if poster_points:
            style = {"marker": "D", "markersize": 4.5, "fillstyle": "none", "linestyle": "none"}
            handles["poster"] = panel.plot(*zip(*poster_points, strict=True), color=canvas.INK, zorder=4, **style)[0]
        if chance is not None:
            handles["chance"] = panel.axhline(chance, color=canvas.FAINT, linewidth=1, linestyle=":")
        _style_axes(panel, str(experiment))
    for panel in list(panels.flat)[len(experiments) :]:
        panel.set_axis_off()
    figure.supxlabel("eps, fraction of the input range", fontsize=9, color=canvas.INK, y=0.06 / total)
    figure.supylabel("accuracy, %", fontsize=9, color=canvas.INK, x=0.06 / width)
    figure.legend(
        handles.values(),
        [canvas.wrap(name, 40) for name in handles],
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.06 / total),
        ncols=math.ceil(len(handles) / legend_rows),
        frameon=False,
        fontsize=9,
    )
    return figure


def _curve(panel: Axes, points: Sequence[Row], colour: str, dashed: bool) -> Any:
    summaries = sorted((eps, summarise(runs, "accuracy")) for (eps,), runs in group(points, "eps").items())
    summaries = [(eps, s) for eps, s in summaries if s.mean is not None]
    eps = [e for e, _ in summaries]
    band = [(e, s.low, s.high) for e, s in summaries if s.low is not None]
    if band:
        edges, lows, highs = (list(part) for part in zip(*band, strict=True))
        panel.fill_between(edges, lows, highs, color=colour, alpha=0.18, linewidth=0)
    style = (0, (4, 2)) if dashed else "-"
    means = [s.mean or 0.0 for _, s in summaries]
    return panel.plot(eps, means, color=colour, linestyle=style, linewidth=1.6, marker="o", markersize=3)[0]


def _style_axes(panel: Axes, title: str) -> None:
    panel.set_title(canvas.wrap(title, 30, 2), fontsize=10, loc="left", color=canvas.INK)
    panel.set_ylim(-0.02, 1.03)
    panel.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0, colors=canvas.INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#bbbbbb")
