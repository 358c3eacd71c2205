"""`tfinv audit`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv import catalogue
from tfinv_cli.common import command, flags, target_flags


def _run(values: Any, _: list[str]) -> int:
    from tfinv_cli.common import auditing

    return auditing.run(values)


COMMAND = command.Command(
    "audit",
    """Audits a model: six questions, each with its checks, and a verdict by a policy.

accuracy, calibration, corruptions, robustness, inversion, membership. --split is of images that the model was not trained on;
with --members=train, or whatever part of the data set it was trained on, membership is asked, too. What fails its checks gets
no grade. An audit that is estimated to take more than an hour asks first: at a terminal it waits for an answer, and elsewhere it
ends unless --yes is passed. A killed audit goes on. Exit code 3: a rule of --fail_on, or of the policy's own list, was broken.

  tfinv audit --model=model.keras --dataset=path/to/folders --members=train --workdir=runs/a
  tfinv audit --model=pretrained:mnist-natural --dataset=mnist5k --budget=standard --fail_on=robust-accuracy --workdir=runs/b""",
    (
        *(define for define in target_flags.FLAGS if define is not flags.LIMIT),
        flags.texts(
            "members", None, "What the model was trained on: a split, a part of one, or several.", "train[:1000]"
        ),
        flags.texts("nonmembers", None, "What it was not trained on, likewise; by default test.", "test"),
        flags.path(
            "shadows", None, "Folder that tfinv shadows has filled; by default those that the budget has are trained."
        ),
        flags.choice("budget", "quick", catalogue.BUDGETS, "How much is done: minutes, hours, or days."),
        flags.texts("questions", list(catalogue.QUESTIONS), "Questions to ask.", "accuracy,robustness"),
        flags.path("policy", None, "A TOML file of rules; docs/policy.md has the default one."),
        flags.texts("fail_on", None, "Rules whose breach ends the command with exit code 3.", "robust-accuracy"),
        flags.numbers(
            "eps",
            None,
            "L-inf budget that robustness is judged by, as a fraction of the range; by default the usual one.",
        ),
        flags.switch("yes", False, "Begin also what is estimated to take more than an hour."),
        flags.VERBOSE,
        flags.SEED,
        flags.BATCH_SIZE,
        *flags.SHARING,
        flags.WORKDIR,
        flags.RESUME,
    ),
    _run,
    required=target_flags.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
