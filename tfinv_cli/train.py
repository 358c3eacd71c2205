"""`tfinv train`."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from tfinv import models
from tfinv.recipes.poster import EXPERIMENTS, Defence, train_experiment
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Results
from tfinv.training.destruction import BOUNDS
from tfinv_cli import command, finish, flags, victim

DEFAULT = Defence()
DEFENCE_FLAGS = (
    flags.real("learning_rate", DEFAULT.learning_rate, "Of Adam at the start; it falls to zero along a cosine."),
    flags.real("strength", DEFAULT.strength, "Lambda: factor of the reversed gradient."),
    flags.real("weight", DEFAULT.weight, "Share of the reconstruction loss."),
    flags.choice("bound", DEFAULT.bound, BOUNDS, "What keeps the reversed loss from running away."),
    flags.real("ramp", DEFAULT.ramp, "Part of the training over which lambda rises; 0 for none."),
    flags.whole("decoder_steps", DEFAULT.decoder_steps, "Steps of the decoder for one of the encoder.", 1),
)


def defence(values: Any, architecture: str) -> Defence:
    """The hyper-parameters of the flags."""
    names = ("epochs", "batch_size", "learning_rate", "strength", "weight", "bound", "ramp", "decoder_steps")
    return Defence(architecture=architecture, **{n: getattr(values, n) for n in names})


def _run(values: Any, _: list[str]) -> None:
    begin, config = time.perf_counter(), command.resolved(values)
    workdir = Workdir(values.workdir, finish.without({"command": "train", **config}, "workdir", "data_dir"))
    train, test = (victim.images(values, split, limit=values.limit) for split in ("train", "test"))
    settings = defence(values, values.architecture)
    finish.say(f"training {values.architecture} ({values.experiment}) on {len(train)} images of {train.name}")
    _, rows = train_experiment(
        values.experiment, train, test, settings, workdir, seed=values.seed, verbose=1 if sys.stdout.isatty() else 2
    )
    finish.say(f"Model: {workdir.path / 'models' / f'{values.architecture}-{values.experiment}-{values.seed}.keras'}")
    finish.finish(Results("train", config, rows), workdir.path, begin)


COMMAND = command.Command(
    "train",
    """Trains a classifier, as usual (baseline) or with the destruction defence.

The model is a plain Keras model from images in [0, 1] to logits, WORKDIR/models/ARCHITECTURE-EXPERIMENT-SEED.keras.
Losses and the decoder's reconstructions go to WORKDIR/training for TensorBoard. A killed training, run again with the
same --workdir, goes on from its last epoch to the same weights.

  tfinv train --dataset=mnist5k --experiment=reversal --workdir=runs/reversal""",
    (
        flags.dataset("mnist5k"),
        flags.DATA_DIR,
        flags.choice("architecture", "cnn", models.MODELS, "Which network."),
        flags.choice("experiment", "baseline", EXPERIMENTS, "As usual, or one of the poster's experiments."),
        flags.epochs(DEFAULT.epochs),
        flags.BATCH_SIZE,
        *DEFENCE_FLAGS,
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
