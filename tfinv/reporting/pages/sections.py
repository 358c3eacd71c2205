"""Sections of the report: tables and pictures of each kind of rows."""

from collections.abc import Sequence
from typing import Any

from tfinv.errors import UserError
from tfinv.reporting.figures import canvas
from tfinv.reporting.figures.course import draw_course
from tfinv.reporting.figures.curves import CURVES, draw_accuracy_curves
from tfinv.reporting.figures.membership_pictures import NAMES, membership_pictures
from tfinv.reporting.figures.reliability import (
    CORRUPTIONS,
    RELIABILITY,
    describe_corruptions,
    describe_reliability,
    draw_corruptions,
    draw_reliability,
)
from tfinv.reporting.pages.embedding import Album, Picture
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import attack_names, is_artefact, rows_of, show_eps
from tfinv.reporting.results.scores import Scores
from tfinv.reporting.results.summary import Row, group, summarise
from tfinv.reporting.tables.accuracy import accuracy_table, attack_table, training_table
from tfinv.reporting.tables.cells import Table, percent
from tfinv.reporting.tables.comparison import audit_difference_table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table, precision_table
from tfinv.reporting.tables.membership_details import (
    at_risk_table,
    difference_table,
    group_table,
    shadow_threshold_table,
)
from tfinv.reporting.tables.reliability import calibration_table, corruption_table, reliability_table

# Figures of these names in the results replace those drawn here.
COURSE, FRAGILE = "course", "fragile"
_PLACED = (CURVES, COURSE, FRAGILE, RELIABILITY, CORRUPTIONS, *NAMES)
_MOST_DESCRIBED = 8  # lines of a figure that its alt text names


def sections(results: Results, album: Album, scores: Scores | None) -> dict[str, Any]:
    """Returns the tables and pictures of all sections, by the names that the template has for them.

    Args:
      results: of a command.
      album: gets the pictures, in the order of the page.
      scores: of membership attacks, or None.

    Raises:
      UserError: a row does not follow the schema, or a figure is not a picture inside the work folder.
    """
    accuracy, inversion, training = (rows_of(results, k) for k in ("accuracy", "inversion", "training"))
    return {
        "differences": as_list(audit_difference_table(rows_of(results, "audit difference"))),
        "accuracy": as_list(accuracy_table(accuracy)),
        "curves": _of_results(results, album, CURVES) or _curves(accuracy, album),
        "fragile": _of_results(results, album, FRAGILE),
        "attacks": as_list(attack_table(accuracy)),
        **_calibration(results, album),
        **_corruptions(results, album),
        "attacker": as_list(knowledge_table(inversion)),
        "pictures": album.read(f for f in results.figures if f.name not in _PLACED),
        "comparison": comparison_tables(inversion, training),
        "inversion": inversion_tables(inversion),
        "course": _of_results(results, album, COURSE) or _course(rows_of(results, "course"), album),
        **_membership(results, album, scores),
        "training": as_list(training_table(training)),
    }


def as_list(table: Table | None) -> list[Table]:
    """Returns a list of the table, or an empty one of None."""
    return [] if table is None else [table]


def describe_curves(rows: Sequence[Row]) -> str:
    """Says in words where each line of the accuracy curves ends."""
    names = attack_names(rows)
    named = [dict(r) | {"attack": n} for r, n in zip(rows, names, strict=True) if not is_artefact(r)]
    texts = []
    for (experiment, attack), points in group(named, "experiment", "attack").items():
        eps = max(r["eps"] for r in points)
        mean = summarise([r for r in points if r["eps"] == eps], "accuracy").mean
        if mean is not None:
            place = "on clean images" if attack == "clean" else f"under {attack} at eps {show_eps(eps)}"
            texts.append(f"{experiment}: {percent(mean)} % {place}")
    more = f"; and {len(texts) - _MOST_DESCRIBED} more lines, see the table" * (len(texts) > _MOST_DESCRIBED)
    return "; ".join(texts[:_MOST_DESCRIBED]) + more + "."


def _of_results(results: Results, album: Album, name: str) -> list[Picture]:
    return album.read(f for f in results.figures if f.name == name)


def _curves(rows: Sequence[Row], album: Album) -> list[Picture]:
    try:
        figure = draw_accuracy_curves(rows)
    except UserError:  # without an attack there is no curve
        return []
    caption = "Each band is the 95 % interval; of several seeds, from the lowest bound to the highest."
    if any(is_artefact(r) for r in rows):
        caption += " Dashed lines are artefacts of a wrong measurement."
    return [album.add(CURVES, "Accuracy against eps", caption, canvas.to_png(figure), describe_curves(rows))]


def _calibration(results: Results, album: Album) -> dict[str, Any]:
    bins = [r for r in rows_of(results, "reliability") if r.get("n")]
    drawn = _of_results(results, album, RELIABILITY)
    if bins and not drawn:
        caption = (
            "Accuracy of the images in each bin of the confidence, over their mean confidence, with 95 % intervals; on the dashed "
            "diagonal a model is right as often as it is sure. The bars below are the images in each bin."
        )
        data = canvas.to_png(draw_reliability(bins))
        drawn = [album.add(RELIABILITY, "Reliability diagram", caption, data, describe_reliability(bins))]
    return {
        "calibration": as_list(calibration_table(rows_of(results, "calibration"))),
        "reliability": as_list(reliability_table(bins)),
        "diagram": drawn,
    }


def _corruptions(results: Results, album: Album) -> dict[str, Any]:
    rows = rows_of(results, "corruption")
    drawn = _of_results(results, album, CORRUPTIONS)
    if rows and not drawn:
        caption = "The worst corruptions are in colour, all others grey; the dashed line is the mean of all."
        data = canvas.to_png(draw_corruptions(rows))
        drawn = [album.add(CORRUPTIONS, "Accuracy over severity", caption, data, describe_corruptions(rows))]
    table = corruption_table(rows, rows_of(results, "accuracy"))
    return {"corruptions": as_list(table), "corruption_curves": drawn}


def _course(rows: Sequence[Row], album: Album) -> list[Picture]:
    if not rows:
        return []
    caption = (
        "Means over the reconstructions: above the cost that the method minimises, which differs in kind from method to "
        "method; below the attacked model's confidence in the class, with its 95 % interval (of several seeds, from the "
        "lowest bound to the highest)."
    )
    return [album.add(COURSE, "Cost and confidence over the steps", caption, canvas.to_png(draw_course(rows)))]


def _membership(results: Results, album: Album, scores: Scores | None) -> dict[str, Any]:
    """The tables and pictures of the section; pictures of the results replace those drawn from the scores."""
    rows = rows_of(results, "membership")
    figures = album.read(f for f in results.figures if f.name in NAMES)
    drawn = membership_pictures(scores, [f.name for f in figures])
    details = [precision_table(rows), shadow_threshold_table(rows), group_table(rows)]
    return {
        "membership": [
            *as_list(measures_table(rows)),
            *as_list(difference_table(rows_of(results, "membership difference"))),
        ],
        "membership_pictures": [*figures, *(album.add(p.name, p.title, p.caption, p.data) for p in drawn)],
        "at_risk": as_list(None if scores is None else at_risk_table(scores)),
        "membership_details": [table for table in details if table is not None],
    }
