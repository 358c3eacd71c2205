"""`tfinv reproduce`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv.errors import UsageError
from tfinv.experiments import settings
from tfinv_cli.common import command, experiment_flags

EXPERIMENTS = tuple(settings.DEFAULTS)


def _run(values: Any, positional: list[str]) -> None:
    if len(positional) != 1 or positional[0] not in EXPERIMENTS:
        shown = " ".join(positional) or "nothing"
        raise UsageError(f"Expected one of {', '.join(EXPERIMENTS)}. Received: {shown}.")
    experiment = positional[0]
    config = resolved(experiment, values)

    import time

    from tfinv import datasets
    from tfinv.comparison.protocol import Execution
    from tfinv.experiments.reproduction import COMPARISONS, Reproduction, auxiliary_images
    from tfinv.reporting import Results
    from tfinv.runs import descriptions
    from tfinv.runs.cluster import Cluster
    from tfinv.runs.workdir import Workdir
    from tfinv_cli.common import finish, target

    start, size = time.perf_counter(), target.image_size(config["image_size"])
    cluster = Cluster(config.get("workers", 1), config.get("scheduler"))
    train, test = (
        datasets.load(config["dataset"], split, data_dir=values.data_dir, limit=limit, image_size=size)
        for split, limit in (("train", config["train_limit"]), ("test", config["limit"]))
    )
    auxiliary = auxiliary_images(config, train, values.data_dir) if experiment in COMPARISONS else None
    contents = {"train_contents": train.digest(), "test_contents": test.digest()}
    contents |= target.surrogate_digests(config.get("attacks", ()))
    contents |= {"auxiliary_contents": auxiliary.digest()} if auxiliary else {}
    identity = finish.identity(f"reproduce {experiment}", config, contents)
    workdir = Workdir(values.workdir, identity, resume=values.resume)
    finish.say(f"{descriptions.describe(train)}\n{descriptions.describe(test)}")
    execution = Execution(cluster, 1 if sys.stdout.isatty() else 0, finish.say)
    run = Reproduction(experiment, config, train, test, workdir, auxiliary, execution)
    results = Results(f"reproduce {experiment}", config, *run.report())
    finish.finish(results, workdir.path, start, verbose=values.verbose)


def resolved(experiment: str, values: Any) -> dict[str, Any]:
    """The configuration of the parsed flags, of which those that are not given take the experiment's own values.

    Raises:
      UsageError: see `settings.resolve`.
    """
    return settings.resolve(experiment, {k: v for k, v in command.resolved(values).items() if v is not None})


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
  membership adversarial trainings and defences against training as usual: who of the training set is told

Flags that are not given take the experiment's own values, which `tfinv reproduce EXPERIMENT --help` and the report list;
--budget and some data sets have others.

  tfinv reproduce table1 --seeds=3 --workdir=runs/table1
  tfinv reproduce faces --dataset=mnist --workdir=runs/mnist""",
    experiment_flags.FLAGS,
    _run,
    arguments="|".join(EXPERIMENTS),
    required=("workdir",),
    settings=settings.DEFAULTS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
