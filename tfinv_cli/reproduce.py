"""`tfinv reproduce`."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tfinv import datasets
from tfinv.recipes.demo import demo
from tfinv.recipes.faces import faces
from tfinv.recipes.poster import EXPERIMENTS
from tfinv.recipes.table1 import table1
from tfinv.recipes.workdir import Workdir
from tfinv.reporting import Figure, Results
from tfinv_cli import command, compared, finish, robust, settings, victim

WHAT = tuple(settings.DEFAULTS)
_COMPARISONS: dict[str, Callable[..., robust.Found]] = {
    "inversion": compared.compared,
    "cifar10": partial(robust.trained_both_ways, "cifar10"),
    "fer2013": partial(robust.trained_both_ways, "fer2013"),
    "frontier": robust.swept,
}


def _run(values: Any, rest: list[str]) -> None:
    if len(rest) != 1 or rest[0] not in WHAT:
        raise command.UsageError(f"Expected one of {', '.join(WHAT)}. Received: {' '.join(rest) or 'nothing'}.")
    begin, what = time.perf_counter(), rest[0]
    config = settings.resolve(what, values)
    kept = finish.without({"command": f"reproduce {what}", **config}, "workdir", "data_dir", "workers")
    size = victim.image_size(config["image_size"])
    train, test = (
        datasets.load(config["dataset"], split, data_dir=values.data_dir, limit=limit, image_size=size)
        for split, limit in (("train", config["train_limit"]), ("test", config["limit"]))
    )
    given = compared.auxiliary(config, train, values.data_dir) if what in _COMPARISONS else None
    contents = {"train_contents": train.digest(), "test_contents": test.digest()}
    contents |= victim.surrogates(config.get("attacks", ()))
    contents |= {"auxiliary_contents": given.digest()} if given else {}
    workdir = Workdir(values.workdir, kept | contents, resume=values.resume)
    common: dict[str, Any] = {"progress": finish.say, "verbose": 1 if sys.stdout.isatty() else 0}
    if what in settings.POSTER:
        common["training"] = settings.poster_training(config)
    attacked: dict[str, Any] = {k: config[k] for k in ("eps", "pgd_steps", "attack_limit") if k in config}
    inverted: dict[str, Any] = {
        k: config[k] for k in ("evaluator_epochs", "steps", "most_steps", "labels") if k in config
    }
    seeds = range(config["seed"], config["seed"] + config.get("seeds", 1))
    finish.say(f"{train}\n{test}")
    figures: list[Figure] = []
    if what == "table1":
        rows, checks = table1(train, test, workdir, seeds=seeds, **attacked, **common)
    elif what == "demo":
        rows, checks, figures = demo(
            train, test, workdir, seed=config["seed"], attacked=attacked, inverted=inverted, **common
        )
    elif given:
        common["workers"] = config["workers"]
        rows, checks, figures = _COMPARISONS[what](config, train, test, given, workdir, seeds, **common)
    else:
        members = [(e, config["architecture"], e) for e in EXPERIMENTS]
        if train.name == "att_faces":
            members = [("softmax", "softmax", "baseline"), ("mlp", "mlp", "baseline"), *members]
        rows, checks, figures = faces(
            train,
            test,
            workdir,
            members=members,
            evaluators=compared.other_architectures(config["architecture"]),
            identifiers=compared.identifiers(train),
            seeds=seeds,
            **inverted,
            **common,
        )
    finish.finish(Results(f"reproduce {what}", config, rows, checks, figures), workdir.path, begin)


COMMAND = command.Command(
    "reproduce",
    """Runs a published experiment from data to report. A killed run, started again with the same --workdir, goes on.

  demo       the poster's models on 5,000 embedded digits: trained, attacked, inverted; a few minutes
  table1     the poster's Table 1 on MNIST, beside an honest evaluation and the artefact that explains it
  faces      the poster's inversion experiment, on AT&T faces or with --dataset=mnist on MNIST
  inversion  defences against inversions with every kind of knowledge, on MNIST or with --dataset=att_faces
  cifar10    VGG16 and a ResNet trained as usual, and the ResNet adversarially: attacked, inverted, beside their nearest images
  fer2013    the same on faces with seven expressions
  frontier   from anti-adversarial to adversarial training over eps: robust accuracy against what an inversion gets

Flags that are not given take the experiment's own values, which `tfinv reproduce EXPERIMENT --help` and the report list;
--budget and some data sets have others.

  tfinv reproduce table1 --seeds=3 --workdir=runs/table1
  tfinv reproduce faces --dataset=mnist --workdir=runs/mnist""",
    settings.FLAGS,
    _run,
    arguments="|".join(WHAT),
    required=("workdir",),
    own=settings.DEFAULTS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
