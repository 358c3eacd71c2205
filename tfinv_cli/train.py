"""`tfinv train`."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from tfinv import models
from tfinv.recipes.defended import Schedule, train_defended
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Results
from tfinv.training import defences
from tfinv_cli import command, finish, flags, victim

DEFAULT = Schedule()


def _run(values: Any, _: list[str]) -> None:
    begin, config = time.perf_counter(), command.resolved(values)
    defence = defences.defence(values.defense)
    name = defences.show(defence)
    workdir = Workdir(values.workdir, finish.without({"command": "train", **config}, "workdir", "data_dir"))
    train, test = (victim.images(values, split, limit=values.limit) for split in ("train", "test"))
    schedule = Schedule(values.architecture, values.epochs, values.batch_size, values.learning_rate)
    finish.say(f"training {values.architecture} ({name}) on {len(train)} images of {train.name}")
    verbose = 1 if sys.stdout.isatty() else 2
    _, rows = train_defended(defence, train, test, schedule, workdir, seed=values.seed, verbose=verbose)
    finish.say(f"Model: {workdir.path / 'models' / f'{values.architecture}-{name}-{values.seed}.keras'}")
    finish.finish(Results("train", config, rows), workdir.path, begin)


COMMAND = command.Command(
    "train",
    """Trains a classifier, as usual (none) or with a defence.

The model is a plain Keras model from images in [0, 1] to logits, WORKDIR/models/ARCHITECTURE-DEFENSE-SEED.keras; only
rounding gives rounded confidences instead. Losses, and what a defence measures, go to WORKDIR/training for TensorBoard. A
killed training, run again with the same --workdir, goes on from its last epoch to the same weights.

  tfinv train --dataset=mnist5k --defense=reversal --workdir=runs/reversal
  tfinv train --dataset=mnist5k --defense='adversarial(eps=.1,ramp=.5)' --workdir=runs/robust""",
    (
        flags.dataset("mnist5k"),
        flags.DATA_DIR,
        flags.choice("architecture", DEFAULT.architecture, models.MODELS, "Which network."),
        flags.text(
            "defense",
            "none",
            f"{', '.join(defences.DEFENCES)}; with arguments in parentheses, as in mid(beta=.01). docs/defences.md has them "
            "all.",
        ),
        flags.epochs(DEFAULT.epochs),
        flags.BATCH_SIZE,
        flags.real("learning_rate", DEFAULT.learning_rate, "Of Adam at the start; it falls to zero along a cosine."),
        flags.SEED,
        flags.LIMIT,
        flags.IMAGE_SIZE,
        flags.WORKDIR,
    ),
    _run,
    required=("workdir",),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
