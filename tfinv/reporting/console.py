"""Report on a terminal, or as plain text in a file."""

import os
import sys
import textwrap
from typing import IO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import readable, rows_of
from tfinv.reporting.tables.accuracy import accuracy_table, training_table
from tfinv.reporting.tables.cells import Table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table
from tfinv.reporting.tables.membership_details import difference_table
from tfinv.reporting.tables.verdict import verdict

_PIPED_WIDTH = 100  # columns, where neither a terminal nor COLUMNS gives a width
_STATES = {False: ("failed", "bold red"), None: ("not judged", "yellow"), True: ("passed", "green")}


def print_results(results: Results, file: IO[str] | None = None) -> None:
    """Prints the verdict, the tables and the checks.

    For inversions it prints the comparison, and all measures only where there is nothing to compare.

    Args:
      results: of a command.
      file: destination; standard output by default. Only a terminal gets colours.

    Raises:
      UserError: a row does not follow the schema.
    """
    file = sys.stdout if file is None else file
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=_PIPED_WIDTH)
    kinds = ("accuracy", "inversion", "membership", "training")
    accuracy, inversion, membership, training = (rows_of(results, k) for k in kinds)
    comparison = comparison_tables(inversion, training)
    console.print(_text(results.command, "bold"))
    console.print(_text(verdict(results)))
    tables = [
        accuracy_table(accuracy),
        knowledge_table(inversion),
        *(comparison or inversion_tables(inversion)),
        measures_table(membership),
        difference_table(rows_of(results, "membership difference")),
        training_table(training),
    ]
    for table in tables:
        if table is not None:
            _print_table(console, table)
    if comparison or membership:
        console.print(_text("All measures: in report.html.", "dim"))
    if results.checks:
        console.print()
        console.print(_text("Checks", "bold"))
    # Failed checks come last, just above the prompt.
    for check in sorted(results.checks, key=lambda c: (c.passed is False, c.passed is None)):
        _print_check(console, check)


def printable(text: str) -> str:
    """Replaces control characters, which could steer the terminal: names come from files that others wrote."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print_table(console: Console, table: Table) -> None:
    console.print()
    console.print(_text(table.title, "bold"))
    columns = list(range(len(table.headings)))
    while columns:
        # A table too wide for the console continues below, so that no number is broken in two.
        count = len(columns)
        while count > 1 and _width(console, _grid(table, columns[:count])) > console.width:
            count -= 1
        console.print(_grid(table, columns[:count]))
        columns = columns[count:]
    if table.notes:
        console.print(_text(" ".join(table.notes), "dim"))


def _grid(table: Table, columns: list[int]) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for stub in table.stubs:
        grid.add_column(_text(stub))
    for c in columns:
        grid.add_column(_text(table.headings[c]), justify="left" if table.prose else "right")
    previous = None
    for names, cells in table.lines:
        group = "" if len(names) > 1 and names[0] == previous else names[0]
        previous = names[0]
        figures = [_text("\n".join((cells[c].text, *cells[c].notes)), lines=True) for c in columns]
        grid.add_row(_text(group), *map(_text, names[1:]), *figures)
    return grid


def _width(console: Console, grid: Grid) -> int:
    return Measurement.get(console, console.options.update(width=10_000, max_width=10_000), grid).maximum


def _print_check(console: Console, check: Check) -> None:
    word, style = _STATES[check.passed]
    line = _text(f"{word:<10}  ", style)
    line.append_text(_text(check.name, "bold"))
    console.print(line)
    details = [check.evidence]
    if check.passed is False and check.advice:
        details += [check.advice, f"docs: reading a report, heading {check.heading}"]
    for text in details:
        # rich's own padding would fill each line with blanks to its end.
        for line_text in textwrap.wrap(printable(readable(text)), max(20, console.width - 12)):
            console.print(Text(" " * 12 + line_text))


def _text(text: str, style: str = "", *, lines: bool = False) -> Text:
    parts = readable(text).split("\n") if lines else [readable(text)]
    return Text("\n".join(map(printable, parts)), style=style)
