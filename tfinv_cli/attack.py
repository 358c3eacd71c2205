"""`tfinv attack`."""

import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from tfinv.evaluation.robustness import accuracy_curve, named_attacks
from tfinv.evaluation.stream import BoundedImages
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Results
from tfinv_cli import command, finish, flags, victim
from tfinv_cli.adversarial import AdversarialFiles
from tfinv_cli.progress import robust_so_far


def _run(values: Any, _: list[str]) -> None:
    begin, config = time.perf_counter(), command.resolved(values)
    chosen = named_attacks(values.attacks)
    classifier, data = victim.load(values)
    given = {"command": "attack", **config, **victim.contents(values, data)}
    workdir = Workdir(values.workdir, finish.without(given, "workdir", "data_dir"), resume=values.resume)
    finish.say(f"{classifier}\n{data}")
    kept = AdversarialFiles(workdir.path / "adversarial", len(data), data.image_shape) if values.save_images else None
    with robust_so_far(len(data)) as progress:
        rows = accuracy_curve(
            classifier,
            BoundedImages(data, classifier),
            data.labels,
            chosen,
            values.eps,
            experiment="model",
            seed=values.seed,
            batch_size=values.batch_size,
            curve=values.curve,
            keep=workdir.arrays,
            checkpoints=pathlib.Path(workdir.path) / "stages",
            progress=progress,
            sink=kept.write if kept else None,
        )
    if kept:
        kept.finish(data.labels)
    finish.finish(Results("attack", config, rows, [victim.bounds_check(classifier, data)]), values.workdir, begin)


COMMAND = command.Command(
    "attack",
    """Attacks a model and keeps the adversarial images.

WORKDIR/adversarial has .npy files, (n, height, width, channels) in the model's bounds, and the labels: one for each attack and
eps with --curve=independent, else one an attack, each image as it is at the smallest eps that suffices. Images are taken a
few batches at a time, so any number fits into memory, and a killed run, started again with the same --workdir, goes on. For a
verdict on the model use `tfinv evaluate`, which also checks whether the attacks can be believed.

  tfinv attack --model=model.keras --dataset=mnist5k --attacks='fgsm,pgd(steps=40,restarts=5)' --eps=8/255 --workdir=runs/a
  tfinv attack --model=model.keras --dataset=mnist5k --attacks=autoattack --eps=0.1,0.2,0.3 --curve=bisected --workdir=runs/b""",
    (
        *victim.FLAGS,
        flags.attacks(["fgsm", "pgd(steps=40)"]),
        flags.EPS,
        flags.choice("curve", "bisected", ("bisected", "independent"), flags.CURVE_HELP),
        flags.switch("save_images", True, "Whether to keep the adversarial images."),
        flags.GRADIENTS,
        flags.SEED,
        flags.BATCH_SIZE,
        flags.WORKDIR,
        flags.RESUME,
    ),
    _run,
    required=victim.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
