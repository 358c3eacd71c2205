"""Figures of membership attacks as pictures with captions, for the views that embed them."""

import dataclasses
import os
from collections.abc import Collection

import numpy as np
from matplotlib.figure import Figure

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.figures.grids import Strip, draw_grid
from tfinv.reporting.figures.membership import MOST_PANELS, draw_histograms, draw_roc, strongest_lines
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import rows_of
from tfinv.reporting.results.scores import Scores
from tfinv.reporting.tables.cells import percent

_MOST_RECORDS = 6
ROC, HISTOGRAMS, AT_RISK = NAMES = ("membership_roc", "membership_scores", "membership_at_risk")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes:
      name: a figure of this name in the results replaces it.
      title: of the figure.
      caption: sentences that say what it shows, for those who can't see it, too.
      data: PNG.
    """

    name: str
    title: str
    caption: str
    data: bytes


def read_scores(results: Results, workdir: str | os.PathLike) -> Scores | None:
    """Reads the scores beside the results; None if the results have no rows of membership, or the folder has no scores.

    Raises:
      UserError: see `Scores.read`.
    """
    return Scores.read(workdir) if rows_of(results, "membership") else None


def membership_pictures(scores: Scores | None, without: Collection[str] = ()) -> list[Picture]:
    """Draws all figures of the scores.

    Args:
      scores: of the attacks, or None, of which there are no figures.
      without: names of figures to leave out.
    """
    if scores is None:
        return []
    figures = {
        ROC: ("ROC curves", _roc_caption, draw_roc),
        HISTOGRAMS: ("Scores of members and non-members", _histogram_caption, draw_histograms),
    }
    if scores.at_risk is not None and scores.at_risk.images is not None:
        figures[AT_RISK] = ("Records most at risk, beside their nearest others", _at_risk_caption, draw_at_risk)
    return [
        Picture(name, title, caption(scores), canvas.to_png(draw(scores)))
        for name, (title, caption, draw) in figures.items()
        if name not in without
    ]


def draw_at_risk(scores: Scores) -> Figure:
    """Draws one row per record at risk: itself, framed, and its nearest other records with index, class, side and distance.

    Raises:
      UserError: the scores have no images of records, or an image is of another kind.
    """
    at_risk = scores.at_risk
    if at_risk is None or at_risk.images is None or at_risk.neighbours is None or at_risk.distances is None:
        raise expected("scores with images of the records at risk", "none", "Pass images to `Scores.write`.")
    rows = []
    for i, record in enumerate(map(int, at_risk.records[:_MOST_RECORDS])):
        place = f"above {percent(float(at_risk.place[i]))} %"
        captions = [
            f"no. {j}\n{scores.class_name(int(j))}\n{_side(scores, int(j))}{d:.3f}"
            for j, d in zip(at_risk.neighbours[i], at_risk.distances[i], strict=True)
        ]
        first, *others = np.asarray(at_risk.images[i])
        strips = [Strip((first,), (f"no. {record}\n{place}",), framed=True), Strip(others, captions)]
        rows.append((scores.class_name(record), strips if others else strips[:1]))
    columns = ("at risk", "nearest other records")
    return draw_grid(rows, columns[: len(rows[0][1])], scores.full_name(at_risk.attack))


def _side(scores: Scores, record: int) -> str:
    """Whether the record is a member, which is the same for all targets only if there is one."""
    if scores.targets > 1:
        return ""
    return "in, " if scores.members[0, record] else "out, "


def _roc_caption(scores: Scores) -> str:
    attack = scores.strongest()
    several = " Each line is the mean over the targets; the band reaches from the lowest to the highest." * (
        scores.targets > 1
    )
    return (
        "True-positive rate, the share of the members that a threshold names, over the false-positive rate, that of the "
        "non-members, both on logarithmic axes; ties count against the attacker. The left end is the rate at no false positive. "
        f"Guessing is on the diagonal. Highest at 1 % false positives: {scores.full_name(attack)} with "
        f"{percent(scores.tpr(attack))} %.{several}"
    )


def _histogram_caption(scores: Scores) -> str:
    targets = "of all targets together " * (scores.targets > 1)
    part = f" Drawn are the {MOST_PANELS} attacks with the highest AUC." * (
        len(strongest_lines(scores)) < len(scores.attacks)
    )
    return (
        f"Shares of members (orange, solid) and of non-members (blue, dashed) {targets}by their score, which is higher for what is "
        f"likelier a member. The outermost bars hold what lies beyond. Where the two shapes cover each other nothing is told.{part}"
    )


def _at_risk_caption(scores: Scores) -> str:
    sides = ' ("in": a member; "out": a non-member)' * (scores.targets == 1)
    return (
        "Each row is a record whose membership is told most surely, framed, with the share of the non-members that score lower. "
        "Beside it are the nearest of all other records, members and non-members, with number, class and root-mean-square "
        f"difference of the pixels{sides}. Models tend to memorise records that stand alone, or whose label does not fit."
    )
