"""Reliability diagram, and accuracy over the severity of corruptions."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.summary import Row, group, interval, number, summarise
from tfinv.reporting.tables.cells import percent

# Figures of these names in the results replace those that a view draws.
RELIABILITY, CORRUPTIONS = "reliability", "corruptions"
_MAX_COLUMNS = 4  # panels side by side
_NAMED = 6  # corruptions drawn in a colour of their own, the worst; the others are grey
_PERCENT = ([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])


def draw_reliability(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over confidence, with intervals, and below it how many images each bin holds: two panels an experiment.

    Args:
      rows: of kind "reliability"; others are ignored.

    Raises:
      UserError: there is nothing to draw.
    """
    rows = [r for r in rows if r.get("kind") == "reliability" and r.get("n")]
    if not rows:
        raise expected("rows of kind 'reliability' with images", "none")
    experiments = unique(r["experiment"] for r in rows)[:_MAX_COLUMNS]
    width, height = max(3.6, 2.7 * len(experiments) + 0.9), 3.7
    figure = canvas.new_figure(width, height)
    panels = figure.subplots(2, len(experiments), sharex=True, sharey="row", squeeze=False, height_ratios=(4, 1))
    figure.subplots_adjust(
        left=0.62 / width, right=1 - 0.15 / width, bottom=0.47 / height, top=1 - 0.35 / height, hspace=0.12
    )
    for column, experiment in enumerate(experiments):
        bins = [r for r in rows if r["experiment"] == experiment]
        _draw_bins(panels[0, column], bins)
        panels[0, column].set_title(canvas.wrap(str(experiment), 30, 2), fontsize=10, loc="left", color=canvas.INK)
        total = sum(r["n"] for r in bins)
        for row in bins:
            extent = (row["low"], row["high"] - row["low"])
            panels[1, column].bar(extent[0], row["n"] / total, extent[1], align="edge", color=canvas.FAINT, linewidth=0)
        for panel in panels[:, column]:
            _style(panel)
        panels[0, column].set_yticks(*_PERCENT)
        panels[1, column].set_ylim(0, 1)
        panels[1, column].set_yticks([0, 1], ["0", "100"])
        panels[1, column].set_xlim(-0.02, 1.02)
        panels[1, column].set_xticks(*_PERCENT)
    panels[0, 0].set_ylabel("accuracy, %", fontsize=9, color=canvas.INK)
    panels[1, 0].set_ylabel("images, %", fontsize=9, color=canvas.INK)
    figure.supxlabel("confidence, %", fontsize=9, color=canvas.INK, y=0.06 / height)
    return figure


def describe_reliability(rows: Sequence[Row]) -> str:
    """Says in words what the diagram shows: the bin that holds the most images, and the widest gap."""
    texts = []
    for (experiment,), bins in group([r for r in rows if r.get("n")], "experiment").items():
        largest = max(bins, key=lambda r: r["n"])
        gaps = [r for r in bins if number(r, "confidence") is not None and number(r, "accuracy") is not None]
        if not gaps:
            continue
        widest = max(gaps, key=lambda r: abs(r["confidence"] - r["accuracy"]))
        texts.append(
            f"{experiment}: most images ({largest['n']:,.0f}) have a confidence from {percent(largest['low'])} to "
            f"{percent(largest['high'])} %; farthest apart are a mean confidence of {percent(widest['confidence'])} % and an "
            f"accuracy of {percent(widest['accuracy'])} % (n = {widest['n']:,.0f})."
        )
    return " ".join(texts)


def draw_corruptions(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over severity: a panel an experiment, a line a corruption, the worst ones in colour, and the mean of all.

    Args:
      rows: of kind "corruption"; others are ignored.

    Raises:
      UserError: there is nothing to draw.
    """
    rows = [r for r in rows if r.get("kind") == "corruption"]
    if not rows:
        raise expected("rows of kind 'corruption'", "none")
    experiments = unique(r["experiment"] for r in rows)[:_MAX_COLUMNS]
    named = worst_corruptions(rows)[:_NAMED]
    width = max(4.6, 2.7 * len(experiments) + 0.9)
    legend_rows = math.ceil((len(named) + 1) / max(1, int(width / 1.55)))
    legend_height = 0.3 + 0.2 * legend_rows
    height = legend_height + 2.7
    figure = canvas.new_figure(width, height)
    panels = figure.subplots(1, len(experiments), sharex=True, sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=0.62 / width, right=1 - 0.15 / width, bottom=0.47 / height, top=1 - legend_height / height
    )
    handles = {}
    for panel, experiment in zip(panels, experiments, strict=True):
        model = [r for r in rows if r["experiment"] == experiment]
        for (name,), runs in group(model, "corruption").items():
            severities, means = _means(runs)
            if name not in named:
                panel.plot(severities, means, color="#c4c4c4", linewidth=1)
                continue
            colour = canvas.COLOURS[named.index(name) % len(canvas.COLOURS)]
            handles[str(name)] = panel.plot(severities, means, color=colour, linewidth=1.6, marker="o", markersize=3)[0]
        handles["mean of all"] = panel.plot(*_means(model), color=canvas.INK, linewidth=2, linestyle=(0, (4, 2)))[0]
        _style(panel)
        panel.set_ylim(-0.02, 1.03)
        panel.set_yticks(*_PERCENT)
        panel.set_xticks(sorted({r["severity"] for r in rows}))
        panel.set_title(canvas.wrap(str(experiment), 30, 2), fontsize=10, loc="left", color=canvas.INK)
    figure.supxlabel("severity", fontsize=9, color=canvas.INK, y=0.06 / height)
    figure.supylabel("accuracy, %", fontsize=9, color=canvas.INK, x=0.06 / width)
    figure.legend(
        handles.values(),
        [canvas.wrap(name, 24, 1) for name in handles],
        loc="upper left",
        ncols=math.ceil(len(handles) / legend_rows),
        frameon=False,
        fontsize=8.5,
    )
    return figure


def worst_corruptions(rows: Sequence[Row]) -> list[str]:
    """Returns the names of the corruptions by their mean accuracy, lowest first."""
    means = {name: summarise(runs, "accuracy").mean for (name,), runs in group(rows, "corruption").items()}
    return sorted((n for n, m in means.items() if m is not None), key=lambda n: means[n] or 0.0)


def describe_corruptions(rows: Sequence[Row]) -> str:
    """Says in words what the curves show: the mean at the lowest and highest severity, and the worst corruption."""
    texts = []
    for (experiment,), model in group(rows, "experiment").items():
        severities, means = _means(model)
        worst = worst_corruptions(model)
        if worst and means:
            texts.append(
                f"{experiment}: on average {percent(means[0])} % at severity {severities[0]:g} and {percent(means[-1])} % at "
                f"severity {severities[-1]:g}; lowest under {worst[0]}."
            )
    return " ".join(texts)


def _draw_bins(panel: Axes, bins: Sequence[Row]) -> None:
    panel.plot([0, 1], [0, 1], color=canvas.FAINT, linewidth=1, linestyle=(0, (4, 2)))
    points = [(r["confidence"], r["accuracy"], interval(r)) for r in bins if r.get("accuracy") is not None]
    points = [p for p in points if p[0] is not None]
    for x, y, bounds in points:
        if bounds is not None:
            panel.plot([x, x], bounds, color=canvas.COLOURS[0], linewidth=1.2, alpha=0.6)
        panel.plot([x, x], [x, y], color=canvas.COLOURS[1], linewidth=3, alpha=0.35, solid_capstyle="butt")
    panel.plot(
        [p[0] for p in points], [p[1] for p in points], color=canvas.COLOURS[0], marker="o", markersize=4, linewidth=1.4
    )
    panel.set_ylim(-0.02, 1.03)


def _means(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    points = sorted((s, summarise(runs, "accuracy").mean) for (s,), runs in group(rows, "severity").items())
    measured = [(s, mean) for s, mean in points if mean is not None]
    return [s for s, _ in measured], [mean for _, mean in measured]


def _style(panel: Axes) -> None:
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0, colors=canvas.INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#bbbbbb")
