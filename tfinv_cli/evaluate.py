"""`tfinv evaluate`."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from tfinv import attacks
from tfinv.evaluation.checks import robustness_checks
from tfinv.evaluation.robustness import accuracy_curve
from tfinv.reporting import Results
from tfinv_cli import command, finish, flags, victim


def _run(values: Any, _: list[str]) -> None:
    begin = time.perf_counter()
    chosen = [(spec, attacks.attack(spec)) for spec in values.attacks]
    classifier, data = victim.load(values)
    finish.say(f"{classifier}\n{data}")
    images = classifier.from_unit(data.images)
    rows, checks = [], [victim.bounds_check(classifier, data)]
    for seed in range(values.seed, values.seed + values.seeds):
        finish.say(f"seed {seed}: {', '.join(values.attacks)} at eps {', '.join(f'{e:g}' for e in values.eps)}")
        found = accuracy_curve(
            classifier,
            images,
            data.labels,
            chosen,
            values.eps,
            experiment="model",
            seed=seed,
            batch_size=values.batch_size,
        )
        rows += found
        if seed == values.seed:
            checks += robustness_checks(found, classifier, images, data.labels, seed=seed, batch_size=values.batch_size)
    finish.finish(Results("evaluate", command.resolved(values), rows, checks), values.workdir, begin)


COMMAND = command.Command(
    "evaluate",
    """Measures a model's accuracy under attack, with 95 % intervals, and checks whether the attacks can be believed.

  tfinv evaluate --model=model.keras --dataset=path/to/folders --bounds=0,255 --eps=2/255,4/255,8/255 --workdir=runs/e""",
    (
        *victim.FLAGS,
        flags.spec_list("attacks", ["fgsm", "pgd", "noise"], "Attacks: fgsm, pgd, noise."),
        flags.EPS,
        flags.SEED,
        flags.SEEDS,
        flags.BATCH_SIZE,
        flags.WORKDIR,
    ),
    _run,
    required=victim.REQUIRED,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
