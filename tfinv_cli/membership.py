"""`tfinv membership`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv import catalogue
from tfinv.errors import UsageError, expected
from tfinv_cli.common import command, flags, forms, target_flags

_TARGETS = ("model", "leave_one_out")


def _check(values: Any) -> None:
    """Raises UsageError for flags that are missing, or exclude each other."""
    mode = f"--target={values.target}"
    required, excluded = "model", tuple[str, ...]()
    if values.target == _TARGETS[1]:
        required, excluded = "shadows", ("model", "members", "nonmembers", "twin")
    if getattr(values, required) is None:
        raise UsageError(str(expected(f"--{required} with {mode}", "none", f"Pass --{required}.")))
    if superfluous := [f"--{name}" for name in excluded if getattr(values, name) is not None]:
        raise UsageError(str(expected(f"{mode} alone", ", ".join(superfluous), f"Leave out {superfluous[0]}.")))


def _run(values: Any, _: list[str]) -> None:
    from tfinv_cli.common.membership import running

    running.run(values)


COMMAND = command.Command(
    "membership",
    """Measures whether one can tell who was in a model's training set, with 95 % intervals and checks.

--members were in the training set, --nonmembers were not. With --shadows, a folder that tfinv shadows has filled, also with the
attacks that compare the target with such models. WORKDIR/scores.npz has the score of each example by each attack. A killed run
goes on.

  tfinv membership --model=model.keras --dataset=mnist5k --workdir=runs/m
  tfinv membership --model=model.keras --dataset=mnist5k --members=train[:2000] --nonmembers=train[2000:] \\
    --shadows=runs/shadows --workdir=runs/m
  tfinv membership --target=leave_one_out --dataset=mnist5k --shadows=runs/shadows --workdir=runs/m""",
    (
        *(define for define in target_flags.FLAGS if define not in (flags.SPLIT, flags.LIMIT)),
        flags.choice(
            "target",
            "model",
            _TARGETS,
            "The model of --model; or each shadow in turn, so that N shadows are N targets with intervals over these.",
        ),
        flags.texts(
            "members",
            None,
            "Who was in: a split, a part of one, or several of these; or an .npy file, or the key members of an .npz file, of 0 "
            "and 1 for each example of the --pool. By default train.",
            "train[:1000]",
        ),
        flags.texts("nonmembers", None, "Who was not: likewise a split or a part. By default test.", "test"),
        flags.path("shadows", None, "Folder that tfinv shadows has filled, or a folder of logits of your own."),
        flags.texts(
            "pool",
            None,
            "Examples of a file of --members, and of shadows that you trained yourself, in their order; by default those of the "
            "store, or else train.",
            "train,test[:1000]",
        ),
        flags.forms(
            "attacks",
            None,
            forms.MEMBERSHIP,
            f"{', '.join(catalogue.MEMBERSHIP)}; with arguments in parentheses, as in lira(online=False). By default gap, "
            "confidence, modified_entropy, loss, and with shadows lira and rmia.",
        ),
        flags.path("null", None, "A model that was trained on none of the examples: attacks must find nothing in it."),
        flags.path("twin", None, "A model like the target, trained on the same members so long that it overfits."),
        flags.SEED,
        flags.BATCH_SIZE,
        flags.WORKDIR,
        flags.RESUME,
        flags.VERBOSE,
    ),
    _run,
    required=("dataset", "workdir"),
    check=_check,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
