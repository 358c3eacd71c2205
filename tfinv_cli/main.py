"""`tfinv COMMAND --flags`: finds the command and runs it."""

import faulthandler
import importlib
import os
import sys
from collections.abc import Sequence

from tfinv.version import __version__

COMMANDS = {
    "train": "trains a classifier as usual, robustly, or with a defence against inversion",
    "audit": "asks one model every question, and gives a verdict that a pipeline can act on",
    "compare": "sets two audits of the same images side by side, with paired tests",
    "attack": "attacks a model and keeps the adversarial images",
    "invert": "reconstructs what a model's classes look like, and measures what that gives away",
    "membership": "measures whether one can tell who was in a model's training set",
    "shadows": "trains shadow models for the attacks of membership",
    "evaluate": "measures a model's accuracy under attack, with checks of the attacks",
    "reproduce": "runs a published experiment from data to report, or the small demo",
    "report": "turns a results.json into HTML, Markdown, TensorBoard or console output",
}
_HELP = ("--help", "-h", "-help", "help", "--helpshort", "--helpfull")


def main(argv: Sequence[str]) -> int:
    """Runs `argv` (without the program's name) and returns the exit code."""
    if not argv or argv[0] in _HELP:
        print(usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(__version__)
        return 0
    if argv[0] not in COMMANDS:
        print(
            f"tfinv: Expected a command among {', '.join(COMMANDS)}. Received: {argv[0]}. See tfinv --help.",
            file=sys.stderr,
        )
        return 2
    # By default the first process takes all of a GPU's memory, and --workers would find none.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    module = importlib.import_module(f"tfinv_cli.{argv[0]}")
    return module.main(argv[1:])


def usage() -> str:
    """The text of `tfinv --help`."""
    width = max(map(len, COMMANDS))
    lines = ["tfinv COMMAND [--flags]", "", "Is an image classifier robust, is it private?", ""]
    lines += [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            *lines,
            "",
            "tfinv COMMAND --help describes its flags.",
            "Exit codes: 0 done, 1 failed, 2 wrong use, 3 a gate of audit, 130 interrupted.",
        ]
    )


def run() -> None:
    """The console script."""
    faulthandler.enable()  # a crash in a library would end the process without a word
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
