"""Figures of membership attacks: ROC on logarithmic axes, and the scores of members and non-members."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfinv.evaluation.membership import roc
from tfinv.reporting.figures import canvas
from tfinv.reporting.results.rows import unique
from tfinv.reporting.results.scores import Scores

MOST_PANELS = 12  # of histograms; more are no longer looked at
_MOST_POINTS = 1000  # of a curve
_BINS = 40
_TAIL = 0.001  # share of the records at either end that the outermost bars hold
_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def mean_curve(scores: Scores, attack: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ROC curve of an attack on each target.

    Args:
      scores: of the attacks.
      attack: index of one of them.

    Returns:
      FPRs (k,), rising from 0 to 1, of which there is a threshold on some target, thinned to a thousand evenly on a logarithmic
      axis; and TPRs (t, k) of each target at these FPRs by the step rule.
    """
    curves = [roc.roc_curve(*scores.split(attack, t)) for t in range(scores.targets)]
    fprs = np.unique(np.concatenate([c.fpr for c in curves]))
    if len(fprs) > _MOST_POINTS:
        places = np.unique(np.searchsorted(fprs, np.geomspace(fprs[1], 1.0, _MOST_POINTS)))
        fprs = np.concatenate([[0.0], fprs[places]])
    return fprs, np.stack([c.tpr[np.searchsorted(c.fpr, fprs, "right") - 1] for c in curves])


def histograms(scores: Scores, attack: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the shares of the members and of the non-members of all targets by their score.

    Args:
      scores: of the attacks.
      attack: index of one of them.

    Returns:
      Edges (41,) of the bins, and shares (40,) of members and of non-members that add up to 1 each: scores beyond the outermost
      edges are in the outermost bins.
    """
    sides = [
        np.concatenate(side) for side in zip(*(scores.split(attack, t) for t in range(scores.targets)), strict=True)
    ]
    finite = np.concatenate(sides)
    finite = finite[np.isfinite(finite)] if np.isfinite(finite).any() else np.zeros(1)
    low, high = np.quantile(finite, [_TAIL, 1 - _TAIL])
    if not high > low:
        low, high = finite.min(), finite.max()
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    members, nonmembers = (np.histogram(np.clip(s, low, high), edges)[0] / len(s) for s in sides)
    return edges, members, nonmembers


def draw_roc(scores: Scores) -> Figure:
    """Draws the ROC curves: one panel per experiment, one line per attack, and the diagonal of guessing.

    Both axes are logarithmic. Left of the lowest FPR above 0 is the TPR at no false positive. Of several targets the line is
    the mean at each FPR, and the band reaches from the lowest to the highest.
    """
    experiments, attacks = unique(scores.experiments), unique(scores.attacks)
    sheet = _Sheet(len(experiments), [*attacks, "guessing"], aspect=1.0)
    ends = [0.5 / max(2, int(side.sum(1).max())) for side in (~scores.members, scores.members)]
    handles: dict[str, Any] = {}
    for panel, experiment in zip(sheet.panels, experiments, strict=True):
        for i, name in enumerate(scores.attacks):
            if scores.experiments[i] == experiment:
                handles[name] = _roc_line(panel, *mean_curve(scores, i), ends[0], attacks.index(name))
        diagonal = (max(ends), 1.0)
        handles["guessing"] = panel.plot(diagonal, diagonal, color=canvas.FAINT, linestyle=":", linewidth=1)[0]
        _style(panel, experiment)
        _make_logarithmic(panel, *ends)
    sheet.label("false-positive rate, %", "true-positive rate, %")
    sheet.add_legend([handles[name] for name in sheet.legend])
    return sheet.figure


def draw_histograms(scores: Scores) -> Figure:
    """Draws the scores of members and of non-members: one panel per attack and experiment, at most 12, the strongest.

    Of a single target a line marks the threshold at an FPR of 1 %.
    """
    lines, single = strongest_lines(scores), scores.targets == 1
    sheet = _Sheet(len(lines), ["members", "non-members", *(["threshold at 1 % FPR"] if single else [])], aspect=0.62)
    for panel, line in zip(sheet.panels, lines, strict=True):
        edges, *shares = histograms(scores, line)
        handles: list[Any] = []
        for share, colour, style in zip(
            shares, (canvas.COLOURS[1], canvas.COLOURS[0]), ("-", (0, (4, 2))), strict=True
        ):
            panel.stairs(100 * share, edges, fill=True, color=colour, alpha=0.2)
            handles.append(panel.stairs(100 * share, edges, color=colour, linestyle=style, linewidth=1.5))
        if single:
            threshold = roc.threshold_at(scores.split(line, 0)[1], 0.01)
            position = float(np.clip(threshold, edges[0], edges[-1]))
            handles.append(panel.axvline(position, color=canvas.INK, linestyle=":", linewidth=1.2))
        _style(panel, scores.full_name(line))
        panel.set_ylim(bottom=0)
        panel.xaxis.set_major_locator(MaxNLocator(5))
    sheet.label("score", "share, %")
    sheet.add_legend(handles)
    return sheet.figure


def strongest_lines(scores: Scores) -> list[int]:
    """Returns the indices of the attacks whose scores are drawn: all, or the 12 with the highest AUC, in their order."""
    indices = range(len(scores.attacks))
    if len(indices) <= MOST_PANELS:
        return list(indices)
    return sorted(sorted(indices, key=scores.auc, reverse=True)[:MOST_PANELS])


def _roc_line(panel: Axes, fprs: np.ndarray, tprs: np.ndarray, floor: float, place: int) -> Any:
    colour = canvas.COLOURS[place % len(canvas.COLOURS)]
    style = _STYLES[place // len(canvas.COLOURS) % len(_STYLES)]
    x = np.maximum(fprs, floor)  # a logarithmic axis has no 0
    if len(tprs) > 1:
        panel.fill_between(x, tprs.min(0), tprs.max(0), step="post", color=colour, alpha=0.15, linewidth=0)
    return panel.plot(x, tprs.mean(0), drawstyle="steps-post", color=colour, linestyle=style, linewidth=1.6)[0]


def _make_logarithmic(panel: Axes, left: float, bottom: float) -> None:
    for scale, limits, ticks, end in (
        (panel.set_xscale, panel.set_xlim, panel.set_xticks, left),
        (panel.set_yscale, panel.set_ylim, panel.set_yticks, bottom),
    ):
        powers = [10.0**p for p in range(math.ceil(math.log10(end)), 1)]
        scale("log")
        limits(end, 1.0)
        ticks(powers, [f"{100 * p:g}" for p in powers])
    panel.minorticks_off()
    panel.grid(axis="x", color="#e4e4e4", linewidth=0.8)


def _style(panel: Axes, title: str) -> None:
    panel.set_title(canvas.wrap(title, 34, 2), fontsize=10, loc="left", color=canvas.INK)
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8, length=0, colors=canvas.INK)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.spines["bottom"].set_color("#bbbbbb")


class _Sheet:
    """A figure with panels, at most three side by side, under a legend.

    Args:
      count: of the panels.
      legend: names in it.
      aspect: height of a panel over its width.
    """

    def __init__(self, count: int, legend: Sequence[str], aspect: float):
        self.legend, self._columns = list(legend), min(3, count)
        width = max(4.6, 2.9 * self._columns + 0.6)
        longest = min(40, max(map(len, self.legend)))
        self._legend_columns = max(1, int(width / (0.55 + 0.08 * longest)))
        top, beside, around = 0.12 + 0.2 * math.ceil(len(self.legend) / self._legend_columns), 0.65, 0.8
        step = (width - 0.2) / self._columns
        side = aspect * (step - beside)
        height = top + math.ceil(count / self._columns) * (side + around)
        self.figure = canvas.new_figure(width, height)
        self.panels: list[Axes] = []
        for i in range(count):
            row, column = divmod(i, self._columns)
            bottom = height - top - row * (side + around) - 0.32 - side
            box = ((column * step + beside) / width, bottom / height, (step - beside) / width, side / height)
            self.panels.append(self.figure.add_axes(box))

    def label(self, x: str, y: str) -> None:
        """Labels the axes of the lowest and of the first panels."""
        for panel in self.panels[-self._columns :]:
            panel.set_xlabel(x, fontsize=9, color=canvas.INK)
        for panel in self.panels[:: self._columns]:
            panel.set_ylabel(y, fontsize=9, color=canvas.INK)

    def add_legend(self, handles: Sequence[Any]) -> None:
        """Adds the legend, with a handle for each name."""
        self.figure.legend(
            handles,
            [canvas.wrap(name, 40, 1) for name in self.legend],
            loc="upper left",
            bbox_to_anchor=(0.3 / self.figure.get_figwidth(), 1 - 0.02 / self.figure.get_figheight()),
            ncols=self._legend_columns,
            frameon=False,
            fontsize=9,
        )
