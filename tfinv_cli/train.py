"""`tfinv train`."""

import sys
from collections.abc import Sequence
from typing import Any

from tfinv import catalogue
from tfinv.errors import UsageError
from tfinv_cli.common import command, flags
from tfinv_cli.common.training import network_flags, schedule_flags


def _run(values: Any, _: list[str]) -> None:
    import time

    from tfinv.comparison.defended import is_robust, train_defended
    from tfinv.evaluation.training_checks import no_collapse
    from tfinv.reporting import Results
    from tfinv.runs import descriptions
    from tfinv.runs.workdir import Workdir
    from tfinv.training import defences, distribution, user_network
    from tfinv_cli.common import finish, target

    start, defence = time.perf_counter(), defences.defence(values.defense)
    schedule = schedule_flags.schedule(values, validation=1)  # what it refuses is known before anything is loaded
    if values.distribution == "multi_worker" and not values.resume:
        raise UsageError("Expected --resume with --distribution=multi_worker. Received: --noresume. Change --workdir.")
    strategy = distribution.strategy(values.distribution)  # before TensorFlow does anything, such as resize images
    chief = distribution.is_chief(strategy)
    network = network_flags.user_network(values)
    train, test = (network_flags.images(values, network, split) for split in ("train", "test"))
    schedule = schedule_flags.schedule(values, schedule_flags.default_validation(defence, train))
    contents = {"train_contents": train.digest(), "test_contents": test.digest()}
    notes: list[str] = []
    if network is not None:
        network, notes = network_flags.recognised(network, schedule.split(train)[0])
        schedule = user_network.UserSchedule.of(schedule, network)
        contents["network_contents"] = target.model_digest(network.path)
    count = len(schedule.split(train)[0])
    config = command.resolved(values) | {"validation": schedule.validation}
    config |= {"bounds": list(network.bounds or (0, 1)), "architecture": None} if network else {}
    identity = finish.identity("train", config, contents)
    workdir = Workdir(values.workdir, identity, writes=chief, resume=values.resume)
    finish.say(f"training {schedule.network_name} ({values.defense}) on {count} images of {train.name}")
    finish.say("\n".join([*(f"  network: {note}" for note in notes), descriptions.describe(train)]))
    verbose = 1 if sys.stdout.isatty() else 2
    seed = values.seed
    _, rows = train_defended(defence, train, test, schedule, workdir, seed=seed, verbose=verbose, strategy=strategy)
    if chief:
        path = workdir.path / "models" / f"{schedule.network_name}-{values.defense}-{seed}.keras"
        finish.say(f"Model: {path}")
        if network is not None and network.bounds:
            finish.say(f"It takes what the network took: {user_network.flags_of(path, network.bounds)}")
        checks = [no_collapse(rows)] if schedule.validation_attack or is_robust(defence) else []
        about = {"classes": list(train.class_names), "notes on the images": list(train.notes)}
        about |= {"notes on the model": notes} if notes else {}
        finish.finish(Results("train", config, rows, checks), workdir.path, start, about, verbose=values.verbose)
    distribution.leave(strategy)


COMMAND = command.Command(
    "train",
    """Trains a classifier, as usual (none), robustly, or with a defence.

The model is a plain Keras model from images in [0, 1] to logits, WORKDIR/models/ARCHITECTURE-DEFENSE-SEED.keras; only
rounding gives rounded confidences instead, and a --network comes back in its own form. Losses, and what a defence measures,
go to WORKDIR/training for TensorBoard. A killed training, run again with the same --workdir, goes on from its last epoch to
the same weights.

  what is trained     --dataset --limit --image_size --architecture
  a network of yours  --network --weights --bounds --custom_objects
  against what        --defense
  how it is optimised --epochs --batch_size --optimizer --learning_rate --rate_schedule --warmup --weight_decay
  regularisation      --augmentation --label_smoothing --ema
  the best epoch      --validation --validation_attack --validation_every
  on what             --distribution --precision

docs/training.md says more of each, docs/scale.md of several devices and machines.

  tfinv train --dataset=mnist5k --defense=reversal --workdir=runs/reversal
  tfinv train --dataset=mnist5k --defense='adversarial(eps=.1,ramp=.5)' --workdir=runs/robust
  tfinv train --dataset=path/to/folders --network=mine.keras --defense='fast(eps=4/255)' --epochs=10 --workdir=runs/mine
  tfinv train --dataset=cifar10 --defense=fast --architecture=resnet18 --epochs=15 --optimizer=sgd --rate_schedule=cyclic \\
    --learning_rate=.2 --weight_decay=5e-4 --augmentation=crop_flip --validation=1000 --workdir=runs/fast""",
    (
        flags.dataset("mnist5k"),
        flags.DATA_DIR,
        schedule_flags.DEFENSE,
        *schedule_flags.FLAGS,
        *network_flags.FLAGS,
        flags.choice(
            "distribution",
            "none",
            catalogue.DISTRIBUTIONS,
            "mirrored shares each batch among the GPUs of this machine, multi_worker among the machines in TF_CONFIG, each of "
            "which runs this command.",
        ),
        flags.SEED,
        flags.LIMIT,
        flags.IMAGE_SIZE,
        flags.WORKDIR,
        flags.RESUME,
        flags.VERBOSE,
    ),
    _run,
    required=("workdir",),
    check=network_flags.check,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    return command.main(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
