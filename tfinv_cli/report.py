"""`tfinv report`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv_cli.common import command, flags


def _run(values: Any, _: list[str]) -> None:
    import pathlib

    from tfinv.reporting import Results, print_results, write_html, write_markdown, write_tensorboard
    from tfinv_cli.common import finish

    folder = pathlib.Path(values.workdir)
    results = Results.read(folder)
    if "console" in values.views:
        print_results(results, verbose=values.verbose)
    if "tensorboard" in values.views:
        finish.say(f"TensorBoard: {write_tensorboard(results, folder, folder / 'tensorboard')}")
    if "markdown" in values.views:
        finish.say(f"Markdown: {write_markdown(results, folder)}")
    if "html" in values.views:
        finish.say(f"Report:\n{write_html(results, folder)}")


COMMAND = command.Command(
    "report",
    """Turns WORKDIR/results.json into the views that people read.

  tfinv report --workdir=runs/demo --views=html --views=console""",
    (
        flags.WORKDIR,
        flags.VERBOSE,
        flags.choices(
            "views", ["html"], ["html", "markdown", "tensorboard", "console"], "Which views; may be repeated."
        ),
    ),
    _run,
    required=("workdir",),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
