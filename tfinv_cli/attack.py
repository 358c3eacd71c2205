"""`tfinv attack`."""

import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import attacks, files
from tfinv.evaluation.robustness import accuracy_row, realised, scale_eps
from tfinv.reporting import Results
from tfinv_cli import command, finish, flags, victim


def _run(values: Any, _: list[str]) -> None:
    begin = time.perf_counter()
    chosen = [(spec, attacks.attack(spec)) for spec in values.attacks]
    classifier, data = victim.load(values)
    finish.say(f"{classifier}\n{data}")
    images = classifier.from_unit(data.images)
    correct = classifier.predict(images, values.batch_size).argmax(1) == data.labels
    rows = [accuracy_row("model", "none", 0.0, correct, values.seed)]
    kept = {"labels": data.labels}
    for spec, attack in chosen:
        for eps in values.eps:
            result = scale_eps(attack, eps, classifier)(
                classifier, images, data.labels, seed=values.seed, batch_size=values.batch_size
            )
            found = realised(result, correct, attack.norm)
            rows.append(accuracy_row("model", spec, eps, ~result.success, values.seed, **found))
            finish.say(f"{spec} at eps {eps:g}: accuracy {100 * rows[-1]['accuracy']:.2f} %")
            kept[f"{spec} eps={eps:g}"] = result.images
    with files.atomic_path(pathlib.Path(values.workdir) / "adversarial.npz") as temporary:
        np.savez(temporary, **kept)  # type: ignore[arg-type]
    results = Results("attack", command.resolved(values), rows, [victim.bounds_check(classifier, data)])
    finish.finish(results, values.workdir, begin)


COMMAND = command.Command(
    "attack",
    """Attacks a model and keeps the adversarial images.

WORKDIR/adversarial.npz holds an array for each attack and eps, in the model's bounds, and the labels. For a verdict on
the model use `tfinv evaluate`, which also checks whether the attacks can be believed.

  tfinv attack --model=model.keras --dataset=mnist5k --attacks='fgsm,pgd(steps=40,restarts=5)' --eps=8/255 --workdir=runs/a""",
    (*victim.FLAGS, flags.ATTACKS, flags.EPS, flags.SEED, flags.BATCH_SIZE, flags.WORKDIR),
    _run,
    required=victim.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
