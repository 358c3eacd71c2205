"""`tfinv shadows`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv_cli.common import command, flags
from tfinv_cli.common.training import schedule_flags


def _run(values: Any, _: list[str]) -> None:
    import time

    from tfinv.comparison.membership import pool
    from tfinv.comparison.protocol import Execution
    from tfinv.comparison.shadow_models import ShadowRecipe, check_queries, fill
    from tfinv.datasets import Dataset
    from tfinv.reporting import Results
    from tfinv.runs import descriptions
    from tfinv.runs.cluster import Cluster
    from tfinv.training import defences
    from tfinv_cli.common import finish, target

    start, defence = time.perf_counter(), defences.defence(values.defense)
    schedule_flags.schedule(values, validation=1)  # what it refuses is known before anything is loaded
    queries, cluster = tuple(values.queries or ()), Cluster(values.workers, values.scheduler)
    check_queries(queries)

    def load(split: str, stop: int | None) -> Dataset:
        # Of a whole split no more is needed than the limit.
        return target.images(values, split, limit=values.limit if values.pool == [split] else stop)

    parts, images = pool.load_parts(values.pool, load, "--pool")
    size = len(images) if values.limit is None else min(values.limit, len(images))
    images = images.take(size)
    half = images.take(max(1, size // 2))
    schedule = schedule_flags.schedule(values, schedule_flags.default_validation(defence, half))
    examples = pool.first(parts, max(0, size - schedule.validation))
    recipe = ShadowRecipe(defence, schedule, images, tuple(map(str, examples)), queries, values.seed)
    finish.say(
        f"training {values.count} shadows, {schedule.architecture} ({values.defense}), on halves of {images.name}"
    )
    finish.say(descriptions.describe(recipe.examples))
    execution = Execution(cluster, progress=finish.say)
    store, rows = fill(
        recipe, values.count, values.workdir, keep=values.keep, resume=values.resume, execution=execution
    )
    finish.say(f"Shadows: --shadows={store.folder}")
    config = command.resolved(values) | {"validation": schedule.validation}
    about = {"classes": list(images.class_names), "notes on the images": list(images.notes)}
    finish.finish(Results("shadows", config, rows), values.workdir, start, about, verbose=values.verbose)


COMMAND = command.Command(
    "shadows",
    """Trains shadow models for tfinv membership, on random halves of a data set, and keeps their logits.

Train them as the target was trained: the flags are those of tfinv train. Shadows 2k and 2k + 1 have the two halves of one
drawing, so each example is in half of the training sets. WORKDIR becomes a store that --shadows=WORKDIR reads: of each shadow
the logits of all examples, and who was in. A killed command goes on, and with a higher --count adds shadows.

docs/membership.md says which --pool fits which target.

  tfinv shadows --dataset=mnist5k --count=16 --architecture=cnn --epochs=5 --workdir=runs/shadows
  tfinv shadows --dataset=cifar10 --limit=20000 --count=16 --architecture=resnet18 --epochs=15 --augmentation=crop_flip \\
    --queries=mirror --workers=4 --workdir=runs/shadows""",
    (
        flags.dataset("mnist5k"),
        flags.DATA_DIR,
        flags.whole("count", 16, "How many shadows; each two have complementary halves.", 1),
        flags.texts(
            "pool",
            ["train"],
            "Examples that the shadows are trained on, half of them each: a split, a part of one, or several of these.",
            "train,test[:1000]",
        ),
        flags.texts(
            "queries",
            None,
            "Copies of each example whose logits are kept beside its own: shift (by a pixel in four directions), mirror. Only "
            "those that the augmentation trains on.",
            "shift,mirror",
        ),
        flags.switch("keep", False, "Keep the models, too, in WORKDIR/models."),
        schedule_flags.DEFENSE,
        *schedule_flags.FLAGS,
        flags.SEED,
        flags.LIMIT,
        flags.IMAGE_SIZE,
        *flags.SHARING,
        flags.WORKDIR,
        flags.RESUME,
        flags.VERBOSE,
    ),
    _run,
    required=("workdir",),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
