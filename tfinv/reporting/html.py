"""Report as one self-contained HTML file: no network, no script, embedded pictures."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfinv import files, paths
from tfinv.reporting.figures.membership_pictures import read_scores
from tfinv.reporting.pages.embedding import Album
from tfinv.reporting.pages.environment import environment
from tfinv.reporting.pages.records import PAGE, TABLE
from tfinv.reporting.pages.sections import as_list, sections
from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import rows_of
from tfinv.reporting.tables.accuracy import mapping_table
from tfinv.reporting.tables.cells import Table
from tfinv.reporting.tables.evidence import parts
from tfinv.reporting.tables.grades import grade_table, question_verdicts
from tfinv.reporting.tables.verdict import facts

FILENAME = "report.html"
# Entries of a configuration that say what the report is about.
_SUBJECTS = {"model": "model", "dataset": "images", "split": "split", "budget": "budget", "policy": "policy"}


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
    grades = rows_of(results, "grade")
    album = Album(workdir)
    context = sections(results, album, read_scores(results, workdir))
    folder = paths.expand(workdir)
    return (
        environment(spans=_spans)
        .get_template("report.html.j2")
        .render(
            results=results,
            verdicts=question_verdicts(grades),
            facts=facts(results, with_questions=False),
            grades=as_list(grade_table(grades)),
            highlights=album.highlights(),
            **_checks(results.checks),
            **context,
            notes=_notes(results),
            records={name: name for name in (PAGE, TABLE) if (folder / name).is_file()},
            subjects=_subjects(results.config),
            config=as_list(mapping_table("Configuration", "setting", results.config)),
            environment=as_list(mapping_table("Environment", "what", results.environment)),
            duration=_duration(results.seconds),
        )
    )


def _checks(checks: Sequence[Check]) -> dict[str, Any]:
    failed = [c for c in checks if c.passed is False]
    # What nobody judged comes before what passed: it is not a pass.
    others = sorted((c for c in checks if c.passed is not False), key=lambda c: c.passed is True)
    return {
        "failed": [(c, parts(c.evidence)) for c in failed],
        "others": [(c, parts(c.evidence)) for c in others],
        "passed": sum(c.passed is True for c in others),
        "not_judged": sum(c.passed is None for c in others),
    }


def _notes(results: Results) -> dict[str, list[str]]:
    """Notes of an audit by question: what a reader must know of the figures."""
    notes: dict[str, list[str]] = {}
    for row in results.rows:
        if row.get("kind") == "note" and isinstance(row.get("text"), str) and row["text"]:
            notes.setdefault(str(row.get("question")), []).append(row["text"])
    return notes


def _subjects(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, str(config[key])) for key, name in _SUBJECTS.items() if isinstance(config.get(key), (str, os.PathLike))
    ]


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
