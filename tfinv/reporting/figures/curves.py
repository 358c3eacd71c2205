"""The curves of a report, and with them the grids, so that a command finds all figures in one place."""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfinv.errors import expected
from tfinv.reporting import canvas
from tfinv.reporting.course import course_plot
from tfinv.reporting.grids import Neighbours, image_grid, neighbour_grid
from tfinv.reporting.nearest import class_grid, nearest_grid
from tfinv.reporting.rows import attack_names, is_artefact, unique
from tfinv.reporting.summary import Row, group, number, summarise

__all__ = [
    "Neighbours",
    "accuracy_curves",
    "class_grid",
    "course_plot",
    "draw_accuracy_curves",
    "image_grid",
    "nearest_grid",
    "neighbour_grid",
]

_ACROSS = 4  # panels side by side


def accuracy_curves(rows: Sequence[Row], path: str | os.PathLike, *, chance: float | None = None) -> pathlib.Path:
    """Draws accuracy against eps, a panel an experiment and a line an attack.

    The band of a line is the 95 % interval; over several seeds, from the lowest bound to the highest. Attacks
    that are artefacts are dashed. The clean accuracy is the point at eps 0 of every other line.

    Args:
      rows: rows of kind "accuracy" (rows of another kind are left out).
      path: the PNG to write.
      chance: the accuracy of guessing, drawn as a line.

    Raises:
      UserError: there is nothing to draw, or the path cannot be written to.
    """
    return canvas.write(draw_accuracy_curves(rows, chance=chance), path)


def draw_accuracy_curves(rows: Sequence[Row], *, chance: float | None = None) -> Figure:
    """The figure of `accuracy_curves`, not yet written."""
    rows = [r for r in rows if r.get("kind", "accuracy") == "accuracy"]
    names = attack_names(rows)
    attacks = [n for n in unique(names) if n != "clean"]
    artefacts = {n for n, r in zip(names, rows, strict=True) if is_artefact(r)}
    experiments = unique(r["experiment"] for r in rows)
    if not attacks:
        raise expected("rows of kind 'accuracy' under at least one attack", f"{len(rows)} rows without")
    lines = group([dict(r) | {"attack": n} for r, n in zip(rows, names, strict=True)], "experiment", "attack")
    across = min(_ACROSS, len(experiments))
    down = math.ceil(len(experiments) / across)
    width = max(4.6, 2.45 * across + 0.75)
    entries = len(attacks) + any(r.get("poster") is not None for r in rows) + (chance is not None)
    legend_rows = math.ceil(entries / max(1, int(width / 1.5)))
    top, height = 0.32 + 0.22 * legend_rows, 2.1
    figure = canvas.new_figure(width, top + (height + 0.35) * down + 0.35)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    total = figure.get_figheight()
    figure.subplots_adjust(left=0.62 / width, right=1 - 0.2 / width, wspace=0.12, hspace=0.22)
    figure.subplots_adjust(top=1 - (top + 0.15) / total, bottom=0.52 / total)
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
        told = {(r["eps"], number(r, "poster")) for r in rows if r["experiment"] == experiment}
        marks = [(eps, poster) for eps, poster in told if poster is not None]
        if marks:
            style = {"marker": "D", "markersize": 4.5, "fillstyle": "none", "linestyle": "none"}
            handles["poster"] = panel.plot(*zip(*marks, strict=True), color=canvas.INK, zorder=4, **style)[0]
        if chance is not None:
            handles["chance"] = panel.axhline(chance, color=canvas.FAINT, linewidth=1, linestyle=":")
        _plain_axes(panel, str(experiment))
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
    found = sorted((eps, summarise(runs, "accuracy")) for (eps,), runs in group(points, "eps").items())
    found = [(eps, s) for eps, s in found if s.mean is not None]
    eps = [e for e, _ in found]
    band = [(e, s.low, s.high) for e, s in found if s.low is not None]
    if band:
        edges, lows, highs = (list(part) for part in zip(*band, strict=True))
        panel.fill_between(edges, lows, highs, color=colour, alpha=0.18, linewidth=0)
    style = (0, (4, 2)) if dashed else "-"
    means = [s.mean or 0.0 for _, s in found]
    return panel.plot(eps, means, color=colour, linestyle=style, linewidth=1.6, marker="o", markersize=3)[0]


def _plain_axes(panel: Axes, title: str) -> None:
    panel.set_title(canvas.wrap(title, 30, 2), fontsize=10, loc="left", color=canvas.INK)
    panel.set_ylim(-0.02, 1.03)
    panel.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0, colors=canvas.INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#bbbbbb")
