"""The report as one HTML file that stands alone: no network, no script, its pictures within it."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import jinja2

from tfinv import files
from tfinv.errors import UserError
from tfinv.reporting import canvas, inversion_tables, pictures, tables
from tfinv.reporting.cells import Table
from tfinv.reporting.course import draw_course
from tfinv.reporting.figures import draw_accuracy_curves
from tfinv.reporting.results import Figure, Results
from tfinv.reporting.rows import readable, rows_of
from tfinv.reporting.verdict import verdict

FILENAME = "report.html"
# Figures of these names in the results take the place of our own.
CURVES = "accuracy_curves"
COURSE = "course"


def write_html(results: Results, workdir: str | os.PathLike, path: str | os.PathLike | None = None) -> pathlib.Path:
    """Writes the report of some results.

    Args:
      results: what to report. Its texts are taken as untrusted and shown as they are.
      workdir: the folder of the results file, to which the paths of the figures are relative.
      path: the file to write; `report.html` in the work folder by default.

    Returns:
      The path written.

    Raises:
      UserError: a row lacks what the schema says, a figure is not a picture inside the work folder, or the
        path cannot be written to.
    """
    path = pathlib.Path(workdir) / FILENAME if path is None else pathlib.Path(path)
    html = render(results, workdir)
    # A JSON file can hold half a surrogate pair, which UTF-8 cannot.
    files.write_text(path, html.encode("utf-8", "replace").decode("utf-8"))
    return path


def render(results: Results, workdir: str | os.PathLike) -> str:
    """The page as text; see `write_html`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfinv.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda shown: readable(shown) if type(shown) is str else shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    accuracy, inversion, training = (rows_of(results, k) for k in ("accuracy", "inversion", "training"))
    own = [f for f in results.figures if f.name == CURVES]
    curves = [_picture(f, workdir) for f in own] or _curves(accuracy)
    drawn = [f for f in results.figures if f.name == COURSE]
    course = [_picture(f, workdir) for f in drawn] or _course(rows_of(results, "course"))
    return environment.get_template("report.html.j2").render(
        results=results,
        verdict=verdict(results),
        checks=sorted(results.checks, key=lambda c: (c.passed is not False, c.passed is True)),
        accuracy=_present(tables.accuracy_table(accuracy)),
        curves=curves,
        attacks=_present(tables.attack_table(accuracy)),
        attacker=_present(inversion_tables.knowledge_table(inversion)),
        comparison=inversion_tables.comparison_tables(inversion, training),
        inversion=inversion_tables.inversion_tables(inversion),
        course=course,
        training=_present(tables.training_table(training)),
        pictures=[_picture(f, workdir) for f in results.figures if f not in (*own, *drawn)],
        config=_present(tables.mapping_table("Configuration", "setting", results.config)),
        environment=_present(tables.mapping_table("Environment", "what", results.environment)),
        duration=_duration(results.seconds),
        spans=_spans,
    )


def _present(table: Table | None) -> list[Table]:
    return [] if table is None else [table]


def _picture(figure: Figure, workdir: str | os.PathLike) -> dict[str, Any]:
    return _embedded(figure.title, figure.caption, pictures.read_picture(figure, workdir))


def _embedded(title: str, caption: str, data: bytes) -> dict[str, Any]:
    width = pictures.display_width(data)
    return {"title": title, "caption": caption, "source": pictures.data_uri(data), "width": width}


def _curves(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        figure = draw_accuracy_curves(rows)
    except UserError:  # clean accuracy alone, or no rows at all, makes no curve
        return []
    caption = (
        "Each band is the 95 % interval; of several seeds, from the lowest bound to the highest. "
        "Dashed lines are artefacts of a wrong measurement."
    )
    return [_embedded("Accuracy against eps", caption, canvas.to_png(figure))]


def _course(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    caption = (
        "Means over the reconstructions: above the cost that the method minimises, which differs in kind from method to "
        "method; below the attacked model's confidence in the class, with its 95 % interval (of several seeds, from the "
        "lowest bound to the highest)."
    )
    return [_embedded("Cost and confidence over the steps", caption, canvas.to_png(draw_course(rows)))]


def _spans(table: Table) -> list[int]:
    """For each line, how many lines its first name stands for; 0 where an earlier line's name does."""
    spans: list[int] = []
    for i, (names, _) in enumerate(table.lines):
        if i and len(table.stubs) > 1 and names[0] == table.lines[i - 1][0][0]:
            spans.append(0)
            continue
        same = 1
        while len(table.stubs) > 1 and i + same < len(table.lines) and table.lines[i + same][0][0] == names[0]:
            same += 1
        spans.append(same)
    return spans


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(hours or minutes) + [f"{rest} s"]
    return " ".join(parts)
