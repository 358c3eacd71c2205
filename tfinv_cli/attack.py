"""`tfinv attack`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv import catalogue
from tfinv_cli.common import command, flags, target_flags


def _run(values: Any, _: list[str]) -> None:
    import time

    from tfinv.evaluation.robustness.accuracy import plan_accuracies
    from tfinv.evaluation.robustness.chunks import Target
    from tfinv.evaluation.robustness.row_checks import not_only_black_box
    from tfinv.evaluation.robustness.stream import BoundedImages
    from tfinv.evaluation.rounding_checks import rounding_keeps_success
    from tfinv.reporting import Results
    from tfinv.runs import descriptions
    from tfinv.runs.workdir import Workdir
    from tfinv_cli.common import attacking, finish, surrogate, target
    from tfinv_cli.common.progress import robust_so_far

    start, config = time.perf_counter(), command.resolved(values)
    plan, cluster = attacking.plan(values, values.seed), attacking.cluster(values)
    classifier, data = target.load(values)
    attacking.check([plan], classifier)
    identity = finish.identity("attack", config, target.digests(values, data))
    workdir = Workdir(values.workdir, identity, resume=values.resume)
    attacked = Target(classifier, BoundedImages(data, classifier), data.labels)
    images = attacking.adversarial_files(values, workdir, attacked)
    finish.say(descriptions.introduction(classifier, data))
    checks = target.clean_accuracy(values, classifier, data)
    with robust_so_far(len(data)) as progress:
        rows = plan_accuracies(
            attacked,
            plan,
            experiment="model",
            store=attacking.store(values, workdir, attacked),
            share=attacking.share(values, identity, values.seed) if cluster.shares else None,
            progress=progress,
        )
    twin_rows, twin_checks = surrogate.compare(
        values, target.load_model, attacked, plan, attacking.store(values, workdir, attacked), rows
    )
    if images is not None:
        roundings = images.finish(data.labels, lambda x: classifier.predict(x, values.batch_size))
        checks += [rounding_keeps_success(roundings)] if images.rounds else []
    finish.finish(
        Results("attack", config, rows + twin_rows, [*checks, not_only_black_box(rows), *twin_checks]),
        values.workdir,
        start,
        descriptions.about(classifier, data),
        verbose=values.verbose,
    )


COMMAND = command.Command(
    "attack",
    """Attacks a model and keeps the adversarial images.

WORKDIR/adversarial has a file or a folder for each attack and eps with --curve=independent, else one an attack, each image as
it is at the smallest eps that suffices. With --save=npy they are arrays in the model's bounds, (n, height, width, channels),
beside the labels; npz has images in [0, 1] and their labels; png is class folders of files that people can open, and tfrecord
holds the same, both rounded to 8 bits, and a check says how many still fool the model. Images are taken a few batches at a
time, so any number fits into memory, and a killed run, started again with the same --workdir, goes on. For a verdict on the
model use `tfinv evaluate`, which also checks whether the attacks can be believed.

  tfinv attack --model=model.keras --dataset=mnist5k --attacks='fgsm,pgd(steps=40,restarts=5)' --eps=8/255 --workdir=runs/a
  tfinv attack --model=model.keras --dataset=mnist5k --attacks=autoattack --eps=0.1,0.2,0.3 --curve=bisected --workdir=runs/b""",
    (
        *target_flags.FLAGS,
        flags.attacks(["fgsm", "pgd(steps=40)"]),
        flags.SURROGATE,
        flags.EPS,
        flags.curve("bisected"),
        flags.choice(
            "save",
            "npy",
            catalogue.IMAGE_FILES,
            "How to keep the adversarial images; png and tfrecord round to 8 bits.",
        ),
        flags.GRADIENTS,
        flags.SEED,
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
