"""The report as Markdown: for a page of results, an issue, a model's card."""

import os
import pathlib
import re

from tfinv import files
from tfinv.reporting import inversion_tables, tables
from tfinv.reporting.cells import Table
from tfinv.reporting.results import Check, Results
from tfinv.reporting.rows import readable, rows_of
from tfinv.reporting.verdict import verdict

# What Markdown or HTML in it would read as their own.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_STATES = {True: "passed", False: "**failed**", None: "not judged"}


def markdown(results: Results) -> str:
    """The verdict, the tables that the console prints, and the checks.

    Raises:
      UserError: a row lacks what the schema says.
    """
    accuracy, inversion, training = (rows_of(results, k) for k in ("accuracy", "inversion", "training"))
    compared = inversion_tables.comparison_tables(inversion, training)
    found = [
        tables.accuracy_table(accuracy),
        inversion_tables.knowledge_table(inversion),
        *(compared or inversion_tables.inversion_tables(inversion)),
        tables.training_table(training),
    ]
    parts = [f"# {_text(results.command)}", _text(verdict(results))]
    parts += [_table(table) for table in found if table is not None]
    if results.checks:
        parts.append("## Checks\n\n" + "\n".join(_check(check) for check in results.checks))
    return "\n\n".join(parts) + "\n"


def write_markdown(results: Results, folder: str | os.PathLike) -> pathlib.Path:
    """Writes `markdown` to folder/report.md.

    Raises:
      UserError: a row lacks what the schema says, or the folder can't be written to.
    """
    path = pathlib.Path(folder) / "report.md"
    files.write_text(path, markdown(results))
    return path


def _table(table: Table) -> str:
    header = [*table.stubs, *table.headings]
    lines = [header, ["---"] * len(header)]
    for names, cells in table.lines:
        lines.append([*names, *(" ".join((cell.text, *cell.notes)) for cell in cells)])
    rows = ["| " + " | ".join(c if c == "---" else _text(c) for c in line) + " |" for line in lines]
    notes = [_text(" ".join(table.notes))] if table.notes else []
    return "\n\n".join([f"## {_text(table.title)}", "\n".join(rows), *notes])


def _check(check: Check) -> str:
    return f"- {_STATES[check.passed]}: {_text(check.name)}: {_text(check.evidence)}"


def _text(text: str) -> str:
    """On one line, with nothing in it that Markdown would take for its own: names come from files that others wrote."""
    return _SPECIAL.sub(r"\\\1", " ".join(readable(str(text)).split()))
