"""`tfinv invert`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv_cli.common import command, flags, forms, target_flags


def _run(values: Any, _: list[str]) -> None:
    from tfinv_cli.common import inverting

    inverting.run(values)


COMMAND = command.Command(
    "invert",
    """Reconstructs what a model's classes look like, and measures how much that gives away.

--dataset is what the model was trained on: its training split trains the evaluators and holds the nearest images. The
attacker has --auxiliary, or --split, which the model should not have seen, with labels.
WORKDIR/reconstructions.npz holds each method's reconstructions, in the model's bounds, and their labels.

  tfinv invert --model=model.keras --dataset=mnist5k --methods='miface,gradient(steps=300)' --workdir=runs/i""",
    (
        *target_flags.FLAGS,
        flags.METHODS,
        flags.LABELS,
        flags.GRADIENTS,
        flags.whole("samples", 1, "Reconstructions a class; of methods that draw nothing there is but one.", 1),
        flags.AUXILIARY,
        flags.whole("auxiliary_limit", 5000, "At most so many images of it.", 1),
        flags.evaluators(["mlp", "softmax", "cnn+adversarial"]),
        flags.forms("identifiers", None, forms.EVALUATOR, "Networks that rank persons, trained on --split alone."),
        flags.epochs(10),
        flags.SEED,
        flags.BATCH_SIZE,
        flags.whole("inversion_batch_size", 512, "Reconstructions in one compiled call.", 1),
        flags.WORKDIR,
        flags.VERBOSE,
    ),
    _run,
    required=target_flags.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
