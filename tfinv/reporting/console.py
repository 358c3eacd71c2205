"""Report on a terminal, or as plain text in a file: what one must know by default, and all of it on request."""

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from tfinv.reporting.results import Check, Results
from tfinv.reporting.results.rows import readable, rows_of
from tfinv.reporting.tables.accuracy import accuracy_table, training_table
from tfinv.reporting.tables.cells import Cell, Table
from tfinv.reporting.tables.comparison import audit_difference_table
from tfinv.reporting.tables.grades import SYMBOLS, grade_table
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table
from tfinv.reporting.tables.membership import measures_table
from tfinv.reporting.tables.membership_details import difference_table
from tfinv.reporting.tables.reliability import calibration_table, corruption_table
from tfinv.reporting.tables.verdict import facts

MOST_LINES = 24  # of a report that is not verbose; paths below it take up to six more
_MOST_VERDICT = 13  # lines
_MOST_FAILED = 6  # checks, a line each
_PIPED_WIDTH = 100  # columns, where neither a terminal nor COLUMNS gives a width
_STATES = {False: ("failed", "bold red"), None: ("not judged", "yellow"), True: ("passed", "green")}
_TONES = {"good": "green", "fair": "yellow", "bad": "bold red", "doubt": "magenta", "open": "dim", "plain": ""}


def print_results(results: Results, file: IO[str] | None = None, *, verbose: bool = False) -> None:
    """Prints the verdict, the failed checks and a part of the most important table: at most 24 lines.

    Args:
      results: of a command.
      file: destination; standard output by default. Only a terminal gets colours.
      verbose: whether to print all tables and all checks with their evidence instead. For inversions that is the comparison, and
        all measures only where there is nothing to compare.

    Raises:
      UserError: a row does not follow the schema.
    """
    file = sys.stdout if file is None else file
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(file=file, highlight=False, markup=False, emoji=False, width=_PIPED_WIDTH)
    if verbose:
        _print_all(console, results)
        return
    for line in _brief_lines(console, results):
        file.write(line + "\n")


def printable(text: str) -> str:
    """Replaces control characters, which could steer the terminal: names come from files that others wrote."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _brief_lines(console: Console, results: Results) -> list[str]:
    """At most `MOST_LINES` lines: what doesn't fit is named."""
    lines = [*_lines(console, _text(results.command, "bold"))[:2]]
    verdict = [line for fact in facts(results) for line in _lines(console, _fact_line(console, fact.text, fact.tone))]
    lines += _cut(verdict, _MOST_VERDICT, "lines")
    failed = [check for check in results.checks if check.passed is False]
    if failed:
        lines += ["", *_lines(console, _text("Failed checks", "bold"))]
        rows = [_one_line(console, check) for check in failed]
        lines += _cut(rows, _MOST_FAILED, "failed checks")
    room = MOST_LINES - len(lines) - 3
    table = next((t for t in _tables(results) if t is not None), None)
    if table is not None:
        lines += _key_table(console, table, room)
    return [
        *lines,
        *_lines(console, _text("All tables, checks and pictures: report.html; as text: --verbose.", "dim"))[:1],
    ]


def _cut(lines: Sequence[str], most: int, noun: str) -> list[str]:
    """The first lines, and how many more there are."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"  and {len(lines) - most + 1} more {noun}"]


def _key_table(console: Console, table: Table, room: int) -> list[str]:
    """The columns and rows of a table that fit, each row on one line; nothing where not even two rows do."""
    plain = _on_one_line(table)
    count = len(plain.headings)
    while count > 1 and _width(console, _grid(plain, list(range(count)))) > console.width:
        count -= 1
    drawn = _lines(console, _grid(plain, list(range(count))))
    head = len(drawn) - len(plain.lines)
    title = _lines(console, _text(plain.title, "bold"))
    available = room - len(title) - head
    if head < 1 or available < min(2, len(plain.lines)):
        return []
    left_out = [f"{len(plain.headings) - count} more columns"] * (count < len(plain.headings))
    shown = drawn[head:]
    if len(shown) + bool(left_out) > available:
        shown = shown[: available - 1]
        left_out.insert(0, f"{len(drawn) - head - len(shown)} more rows")
    rest = _lines(console, _text(f"  {', '.join(left_out)}", "dim"))[:1] if left_out else []
    notes = _lines(console, _text(" ".join(table.notes), "dim")) if table.notes else []
    # A note that says what the figures stand for is worth its lines where there are any.
    notes = notes if len(shown) + len(rest) + len(notes) <= available else []
    return ["", *title, *drawn[:head], *shown, *rest, *notes]


def _on_one_line(table: Table) -> Table:
    """The table with the interval beside each figure, and without other notes."""

    def brief(cell: Cell) -> Cell:
        return Cell(" ".join([cell.text.partition("\n")[0], *(n for n in cell.notes if n.startswith("["))]))

    lines = tuple((names, tuple(map(brief, cells))) for names, cells in table.lines)
    return Table(table.title, table.stubs, table.headings, lines, prose=table.prose)


def _tables(results: Results) -> list[Table | None]:
    """All tables of the console, the most important one first."""
    kinds = ("accuracy", "inversion", "membership", "training")
    accuracy, inversion, membership, training = (rows_of(results, k) for k in kinds)
    comparison = comparison_tables(inversion, training)
    about: dict[str, Sequence[Table | None]] = {
        "accuracy": [accuracy_table(accuracy)],
        "inver": comparison or inversion_tables(inversion),
        "membership": [measures_table(membership), difference_table(rows_of(results, "membership difference"))],
    }
    # The tables of what the command is about come first.
    order = sorted(about, key=lambda name: name not in results.command)
    return [
        audit_difference_table(rows_of(results, "audit difference")),
        *(table for name in order for table in about[name]),
        calibration_table(rows_of(results, "calibration")),
        corruption_table(rows_of(results, "corruption"), accuracy),
        training_table(training),
        knowledge_table(inversion),
        grade_table(rows_of(results, "grade")),
    ]


def _print_all(console: Console, results: Results) -> None:
    console.print(_text(results.command, "bold"))
    for fact in facts(results):
        console.print(_fact_line(console, fact.text, fact.tone))
    for table in _tables(results):
        if table is not None:
            _print_table(console, table)
    if rows_of(results, "membership") or rows_of(results, "inversion"):
        console.print(_text("All measures: in report.html.", "dim"))
    if results.checks:
        console.print()
        console.print(_text("Checks", "bold"))
    # Failed checks come last, just above the prompt.
    for check in sorted(results.checks, key=lambda c: (c.passed is False, c.passed is None)):
        _print_check(console, check)


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


def _fact_line(console: Console, text: str, tone: str) -> Text:
    """A fact behind its symbol, with further lines below its text."""
    style = _TONES[tone]
    lines = textwrap.wrap(printable(readable(text)), max(20, console.width - 2)) or [""]
    line = Text(f"{SYMBOLS[tone]} ", style=style)
    line.append("\n  ".join(lines), style=style if tone in ("bad", "doubt") else "")
    return line


def _one_line(console: Console, check: Check) -> str:
    """A failed check on one line, its evidence cut to the width."""
    line = Text("  ")
    line.append_text(_text(check.name, "bold red"))
    line.append_text(_text(f"  {check.evidence}"))
    line.truncate(console.width, overflow="ellipsis")
    return "".join(_lines(console, line)[:1])


def _lines(console: Console, renderable: Text | Grid) -> list[str]:
    """The lines that would be printed, without trailing blanks."""
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


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
