"""Report as one self-contained HTML file: no network, no script, embedded pictures."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jinja2

from tfinv import files, paths
from tfinv.errors import UserError
from tfinv.reporting.figures import canvas, pictures
from tfinv.reporting.figures.course import draw_course
from tfinv.reporting.figures.curves import CURVES, draw_accuracy_curves
from tfinv.reporting.figures.membership_pictures import NAMES, membership_pictures, read_scores
from tfinv.reporting.results import Figure, Results
from tfinv.reporting.results.rows import readable, rows_of
from tfinv.reporting.tables.accuracy import accuracy_table, attack_table, mapping_table, training_table
from tfinv.reporting.tables.cells import Table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table, precision_table
from tfinv.reporting.tables.membership_details import (
    at_risk_table,
    difference_table,
    group_table,
    shadow_threshold_table,
)
from tfinv.reporting.tables.verdict import verdict

FILENAME = "report.html"
# A figure of this name in the results replaces the one drawn here.
COURSE = "course"


def write_html(results: Results, workdir: str | os.PathLike, path: str | os.PathLike | None = None) -> pathlib.Path:
    """Writes the HTML report.

    Args:
      results: of a command. Their texts are untrusted, and shown verbatim.
      workdir: folder of the results file; paths of figures are relative to it.
      path: file to write; `report.html` in the work folder by default.

    Returns:
      The path written.

    Raises:
      UserError: a row does not follow the schema, a figure is not a picture inside the work folder, or the
        path cannot be written to.
    """
    path = paths.expand(workdir) / FILENAME if path is None else paths.expand(path)
    html = render(results, workdir)
    # A JSON file can hold half a surrogate pair, which UTF-8 cannot.
    files.write_text(path, html.encode("utf-8", "replace").decode("utf-8"))
    return path


def render(results: Results, workdir: str | os.PathLike) -> str:
    """Returns the page as text; see `write_html`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfinv.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: readable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    accuracy, inversion, training = (rows_of(results, k) for k in ("accuracy", "inversion", "training"))
    curve_figures = [f for f in results.figures if f.name == CURVES]
    curves = [_picture(f, workdir) for f in curve_figures] or _curves(accuracy)
    course_figures = [f for f in results.figures if f.name == COURSE]
    course = [_picture(f, workdir) for f in course_figures] or _course(rows_of(results, "course"))
    other_figures = [f for f in results.figures if f.name not in (CURVES, COURSE, *NAMES)]
    return environment.get_template("report.html.j2").render(
        results=results,
        verdict=verdict(results),
        checks=sorted(results.checks, key=lambda c: (c.passed is not False, c.passed is True)),
        accuracy=_as_list(accuracy_table(accuracy)),
        curves=curves,
        attacks=_as_list(attack_table(accuracy)),
        attacker=_as_list(knowledge_table(inversion)),
        comparison=comparison_tables(inversion, training),
        inversion=inversion_tables(inversion),
        course=course,
        **_membership(results, workdir),
        training=_as_list(training_table(training)),
        pictures=[_picture(f, workdir) for f in other_figures],
        config=_as_list(mapping_table("Configuration", "setting", results.config)),
        environment=_as_list(mapping_table("Environment", "what", results.environment)),
        duration=_duration(results.seconds),
        spans=_spans,
    )


def _as_list(table: Table | None) -> list[Table]:
    return [] if table is None else [table]


def _picture(figure: Figure, workdir: str | os.PathLike) -> dict[str, Any]:
    return _embed(figure.title, figure.caption, pictures.read_picture(figure, workdir))


def _embed(title: str, caption: str, data: bytes) -> dict[str, Any]:
    width = pictures.display_width(data)
    return {"title": title, "caption": caption, "source": pictures.data_uri(data), "width": width}


def _membership(results: Results, workdir: str | os.PathLike) -> dict[str, Any]:
    """The tables and pictures of the section; pictures of the results replace those drawn from the scores."""
    rows, scores = rows_of(results, "membership"), read_scores(results, workdir)
    figures = [f for f in results.figures if f.name in NAMES]
    drawn = membership_pictures(scores, [f.name for f in figures])
    details = [
        precision_table(rows),
        shadow_threshold_table(rows),
        group_table(rows),
        None if scores is None else at_risk_table(scores),
    ]
    return {
        "membership": [
            *_as_list(measures_table(rows)),
            *_as_list(difference_table(rows_of(results, "membership difference"))),
        ],
        "membership_details": [table for table in details if table is not None],
        "membership_pictures": [
            *(_picture(f, workdir) for f in figures),
            *(_embed(p.title, p.caption, p.data) for p in drawn),
        ],
    }


def _curves(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        figure = draw_accuracy_curves(rows)
    except UserError:  # without an attack there is no curve
        return []
    caption = (
        "Each band is the 95 % interval; of several seeds, from the lowest bound to the highest. "
        "Dashed lines are artefacts of a wrong measurement."
    )
    return [_embed("Accuracy against eps", caption, canvas.to_png(figure))]


def _course(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    caption = (
        "Means over the reconstructions: above the cost that the method minimises, which differs in kind from method to "
        "method; below the attacked model's confidence in the class, with its 95 % interval (of several seeds, from the "
        "lowest bound to the highest)."
    )
    return [_embed("Cost and confidence over the steps", caption, canvas.to_png(draw_course(rows)))]


def _spans(table: Table) -> list[int]:
    """Returns the rowspan of each line's first name; 0 where the span of an earlier line covers it."""
    spans: list[int] = []
    for i, (names, _) in enumerate(table.lines):
        if i and len(table.stubs) > 1 and names[0] == table.lines[i - 1][0][0]:
            spans.append(0)
            continue
        span = 1
        while len(table.stubs) > 1 and i + span < len(table.lines) and table.lines[i + span][0][0] == names[0]:
            span += 1
        spans.append(span)
    return spans


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(hours or minutes) + [f"{rest} s"]
    return " ".join(parts)
