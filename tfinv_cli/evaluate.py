"""`tfinv evaluate`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv_cli.common import command, flags, target_flags


def _run(values: Any, _: list[str]) -> None:
    import time

    from tfinv.evaluation.robustness.accuracy import plan_accuracies, standing
    from tfinv.evaluation.robustness.checks import robustness_checks
    from tfinv.evaluation.robustness.chunks import Target
    from tfinv.evaluation.robustness.stream import BoundedImages
    from tfinv.reporting import Results
    from tfinv.runs import descriptions
    from tfinv.runs.workdir import Workdir
    from tfinv_cli.common import attacking, finish, surrogate, target
    from tfinv_cli.common.progress import robust_so_far

    start, config = time.perf_counter(), command.resolved(values)
    plans = [attacking.plan(values, seed) for seed in range(values.seed, values.seed + values.seeds)]
    cluster, effort = attacking.cluster(values), attacking.effort(values)
    classifier, data = target.load(values)
    attacking.check(plans, classifier)
    finish.say(descriptions.introduction(classifier, data))
    identity = finish.identity("evaluate", config, target.digests(values, data))
    workdir = Workdir(values.workdir, identity, resume=values.resume)
    images = BoundedImages(data, classifier)
    attacked = Target(classifier, images, data.labels)
    rows, checks = [], target.clean_accuracy(values, classifier, data)
    for plan in plans:
        attacks, budgets = ", ".join(values.attacks), ", ".join(f"{e:g}" for e in values.eps)
        finish.say(f"seed {plan.seed}: {attacks} at eps {budgets}")
        with robust_so_far(len(data)) as progress:
            curves = plan_accuracies(
                attacked,
                plan,
                experiment="model",
                store=attacking.store(values, workdir, attacked),
                share=attacking.share(values, identity, plan.seed) if cluster.shares else None,
                progress=progress,
            )
        store = attacking.store(values, workdir, attacked)
        twin_rows, twin_checks = surrogate.compare(values, target.load_model, attacked, plan, store, curves)
        rows += curves + twin_rows
        if plan.seed == values.seed:
            checks += twin_checks + robustness_checks(
                curves,
                classifier,
                images,
                data.labels,
                seed=plan.seed,
                batch_size=plan.batch_size,
                effort=effort,
                withstood=standing(attacked, plan, store),
            )
    results, about = Results("evaluate", config, rows, checks), descriptions.about(classifier, data)
    finish.finish(results, values.workdir, start, about, verbose=values.verbose)


COMMAND = command.Command(
    "evaluate",
    """Measures a model's accuracy under attack, with 95 % intervals, and checks whether the attacks can be believed.

A killed run, started again with the same --workdir, goes on.

  tfinv evaluate --model=model.keras --dataset=path/to/folders --bounds=0,255 --eps=2/255,4/255,8/255 --workdir=runs/e""",
    (
        *target_flags.FLAGS,
        flags.attacks(["fgsm", "pgd", "noise"]),
        flags.SURROGATE,
        flags.EPS,
        flags.curve("independent"),
        flags.whole("check_images", 200, "How many images the checks that attack by themselves take.", 1),
        flags.GRADIENTS,
        flags.SEED,
        flags.SEEDS,
        flags.BATCH_SIZE,
        *flags.SHARING,
        flags.WORKDIR,
        flags.RESUME,
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
