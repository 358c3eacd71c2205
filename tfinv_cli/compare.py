"""`tfinv compare`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv.errors import UsageError
from tfinv_cli.common import command, flags


def _run(values: Any, folders: list[str]) -> None:
    if len(folders) != 2:
        received = f"{len(folders)} folders"
        raise UsageError(f"Expected the workdirs of two audits. Received: {received}. Pass runs/a runs/b.")
    import pathlib

    from tfinv.auditing.comparing import compare
    from tfinv.reporting import print_results, write_html

    results = compare(*folders)
    print_results(results, verbose=values.verbose)
    if values.workdir:
        folder = pathlib.Path(values.workdir)
        path = results.write(folder)
        print(f"\nResults: {path}\nReport:\n{write_html(results, folder)}")


COMMAND = command.Command(
    "compare",
    """Compares two audits of the same images: before and after a defence, a quantisation or a release.

Clean and robust accuracy are compared image by image with McNemar's exact test, the smallest eps by a paired bootstrap, and
the other rules by their intervals. It refuses audits of other images, eps, budgets, splits or seeds. With --workdir it writes
results.json and report.html.

  tfinv compare runs/a runs/b --workdir=runs/ab""",
    (flags.path("workdir", None, "Folder for results and report; by default they are printed alone."), flags.VERBOSE),
    _run,
    "A B",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
