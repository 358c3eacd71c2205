"""`tfinv evaluate`."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tfinv.evaluation.checks import THOROUGH, robustness_checks
from tfinv.evaluation.robustness import accuracy_curve, check_budgets, named_attacks
from tfinv.evaluation.stream import BoundedImages
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Results
from tfinv_cli import chunks, command, finish, flags, victim
from tfinv_cli.progress import robust_so_far


def _run(values: Any, _: list[str]) -> None:
    begin, config = time.perf_counter(), command.resolved(values)
    chosen = named_attacks(values.attacks)
    check_budgets(chosen, values.eps)
    classifier, data = victim.load(values)
    finish.say(f"{classifier}\n{data}")
    given = {"command": "evaluate", **config, **victim.contents(values, data)}
    kept = finish.without(given, "workdir", "data_dir", "workers")
    workdir = Workdir(values.workdir, kept, resume=values.resume)
    images = BoundedImages(data, classifier)
    rows, checks = [], [victim.bounds_check(classifier, data)]
    for seed in range(values.seed, values.seed + values.seeds):
        finish.say(f"seed {seed}: {', '.join(values.attacks)} at eps {', '.join(f'{e:g}' for e in values.eps)}")
        with robust_so_far(len(data)) as progress:
            found = accuracy_curve(
                classifier,
                images,
                data.labels,
                chosen,
                values.eps,
                experiment="model",
                seed=seed,
                **chunks.how(values, workdir),
                ahead=partial(chunks.share, values, kept, seed) if values.workers > 1 else None,
                progress=progress,
            )
        rows += found
        if seed == values.seed:
            effort = dataclasses.replace(THOROUGH, images=values.check_images)
            checks += robustness_checks(
                found, classifier, images, data.labels, seed=seed, batch_size=values.batch_size, effort=effort
            )
    finish.finish(Results("evaluate", config, rows, checks), values.workdir, begin)


COMMAND = command.Command(
    "evaluate",
    """Measures a model's accuracy under attack, with 95 % intervals, and checks whether the attacks can be believed.

A killed run, started again with the same --workdir, goes on.

  tfinv evaluate --model=model.keras --dataset=path/to/folders --bounds=0,255 --eps=2/255,4/255,8/255 --workdir=runs/e""",
    (
        *victim.FLAGS,
        flags.attacks(["fgsm", "pgd", "noise"]),
        flags.EPS,
        flags.choice("curve", "independent", ("bisected", "independent"), flags.CURVE_HELP),
        flags.whole("check_images", 200, "How many images the checks that attack by themselves take.", 1),
        flags.GRADIENTS,
        flags.SEED,
        flags.SEEDS,
        flags.BATCH_SIZE,
        flags.whole(
            "workers",
            1,
            "Processes that share the chunks of 4 x --batch_size images, each with its part of the cores.",
            1,
        ),
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
