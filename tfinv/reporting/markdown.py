"""Report as Markdown: for a results page, an issue or a model card."""

import os
import pathlib
import re

from tfinv import files, paths
from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import readable, rows_of
from tfinv.reporting.tables.accuracy import accuracy_table, training_table
from tfinv.reporting.tables.cells import Table
from tfinv.reporting.tables.comparison import audit_difference_table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table, precision_table
from tfinv.reporting.tables.membership_details import difference_table
from tfinv.reporting.tables.verdict import facts

# Characters that mean something in Markdown or in HTML within it.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_STATES = {True: "passed", False: "**failed**", None: "not judged"}


def markdown(results: Results) -> str:
    """Returns the verdict, the tables that the console prints, the precision of membership attacks, and the checks.

    Raises:
      UserError: a row does not follow the schema.
    """
    kinds = ("accuracy", "inversion", "membership", "training")
    accuracy, inversion, membership, training = (rows_of(results, k) for k in kinds)
    tables = [
        audit_difference_table(rows_of(results, "audit difference")),
        accuracy_table(accuracy),
        knowledge_table(inversion),
        *(comparison_tables(inversion, training) or inversion_tables(inversion)),
        measures_table(membership),
        difference_table(rows_of(results, "membership difference")),
        precision_table(membership),
        training_table(training),
    ]
    parts = [f"# {escape(results.command)}", "\n".join(f"- {escape(fact.text)}" for fact in facts(results))]
    parts += [_table(table) for table in tables if table is not None]
    if results.checks:
        parts.append("## Checks\n\n" + "\n".join(_check(check) for check in results.checks))
    return "\n\n".join(parts) + "\n"


def write_markdown(results: Results, folder: str | os.PathLike) -> pathlib.Path:
    """Writes `markdown` to folder/report.md.

    Raises:
      UserError: a row does not follow the schema, or the folder cannot be written to.
    """
    path = paths.expand(folder) / "report.md"
    files.write_text(path, markdown(results))
    return path


def _table(table: Table) -> str:
    header = [*table.stubs, *table.headings]
    lines = [header, ["---"] * len(header)]
    for names, cells in table.lines:
        lines.append([*names, *(" ".join((cell.text, *cell.notes)) for cell in cells)])
    rows = ["| " + " | ".join(c if c == "---" else escape(c) for c in line) + " |" for line in lines]
    notes = [escape(" ".join(table.notes))] if table.notes else []
    return "\n\n".join([f"## {escape(table.title)}", "\n".join(rows), *notes])


def _check(check: Check) -> str:
    return f"- {_STATES[check.passed]}: {escape(check.name)}: {escape(check.evidence)}"


def escape(text: str) -> str:
    """Returns a text on one line with Markdown escaped: names come from files that others wrote."""
    return _SPECIAL.sub(r"\\\1", " ".join(readable(str(text)).split()))
