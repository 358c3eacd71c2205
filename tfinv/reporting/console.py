"""The report on a terminal, or in a file as plain text."""

import os
import sys
import textwrap
from typing import IO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from tfinv.reporting import inversion_tables, tables
from tfinv.reporting.cells import Table
from tfinv.reporting.results import Check, Results
from tfinv.reporting.rows import readable, rows_of
from tfinv.reporting.verdict import verdict

_PIPED = 100  # columns where nothing tells the width
_STATES = {False: ("failed", "bold red"), None: ("not judged", "yellow"), True: ("passed", "green")}


def print_results(results: Results, file: IO[str] | None = None) -> None:
    """Prints the verdict, the tables and the checks.

    Of inversions it prints the comparison; each measure at length only where there is nothing to compare.

    Args:
      results: what to print.
      file: where to; standard output by default. In anything but a terminal there is no colour.

    Raises:
      UserError: a row lacks what the schema says.
    """
    file = sys.stdout if file is None else file
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=_PIPED)
    accuracy, inversion, training = (rows_of(results, k) for k in ("accuracy", "inversion", "training"))
    compared = inversion_tables.comparison_tables(inversion, training)
    console.print(_text(results.command, "bold"))
    console.print(_text(verdict(results)))
    found = [
        tables.accuracy_table(accuracy),
        inversion_tables.knowledge_table(inversion),
        *(compared or inversion_tables.inversion_tables(inversion)),
        tables.training_table(training),
    ]
    for table in found:
        if table is not None:
            _print_table(console, table)
    if compared:
        console.print(_text("All measures: in report.html.", "dim"))
    if results.checks:
        console.print()
        console.print(_text("Checks", "bold"))
    # The failed ones come last, where a terminal leaves the eye.
    for check in sorted(results.checks, key=lambda c: (c.passed is False, c.passed is None)):
        _print_check(console, check)


def printable(text: str) -> str:
    """The text without characters that would steer a terminal: names come from files that others wrote."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print_table(console: Console, table: Table) -> None:
    console.print()
    console.print(_text(table.title, "bold"))
    columns = list(range(len(table.headings)))
    while columns:
        # A table too wide for the console goes on below, instead of breaking its figures in two.
        fit = len(columns)
        while fit > 1 and _width(console, grid := _grid(table, columns[:fit])) > console.width:
            fit -= 1
        grid = _grid(table, columns[:fit])
        console.print(grid)
        columns = columns[fit:]
    if table.notes:
        console.print(_text(" ".join(table.notes), "dim"))


def _grid(table: Table, columns: list[int]) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for stub in table.stubs:
        grid.add_column(_text(stub))
    for c in columns:
        grid.add_column(_text(table.headings[c]), justify="left" if table.prose else "right")
    before = None
    for names, cells in table.lines:
        head = "" if len(names) > 1 and names[0] == before else names[0]
        before = names[0]
        figures = [_text("\n".join((cells[c].text, *cells[c].notes)), lines=True) for c in columns]
        grid.add_row(_text(head), *map(_text, names[1:]), *figures)
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
        # Not rich's padding, which would fill each line with blanks to its end.
        for part in textwrap.wrap(printable(readable(text)), max(20, console.width - 12)):
            console.print(Text(" " * 12 + part))


def _text(text: str, style: str = "", *, lines: bool = False) -> Text:
    parts = readable(text).split("\n") if lines else [readable(text)]
    return Text("\n".join(map(printable, parts)), style=style)
