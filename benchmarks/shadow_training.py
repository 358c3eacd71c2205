"""Seconds of training shadow models: `python -m benchmarks.shadow_training --output=page.md`.

Sixteen networks `cnn` on halves of MNIST images: by `model.fit` of plain Keras, one after the other in one process, and by `tfinv
shadows` with one process, with two that share the cores, and with two in bfloat16. Each contestant is a whole process, imports and
report included, and they take turns.
"""

import argparse
import functools
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable

from benchmarks import machine, timing

_LARGEST_RATIO = 0.5
_FLAGS = {
    "one process": (),
    "two processes": ("--workers=2",),
    "two processes, bfloat16": ("--workers=2", "--precision=mixed_bfloat16"),
}
_FIT = "model.fit"


def fit(dataset: str, limit: int, count: int, epochs: int) -> None:
    """Trains the networks as a user of Keras would, on the halves that `tfinv shadows` draws."""
    import keras

    from tfinv import datasets, models
    from tfinv.comparison.shadow_models import halves

    data = datasets.load(dataset, "train", limit=limit)
    images, members = data.images, halves(len(data), count, 0)
    for number in range(count):
        keras.utils.set_random_seed(number)
        model = models.build("cnn", data.image_shape, data.num_classes)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        rows = members[:, number]
        model.fit(images[rows], data.labels[rows], batch_size=128, epochs=epochs, verbose=0)
        model.predict(images, batch_size=256, verbose=0)  # whose logits a store would keep


def _run(command: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([c.format(folder=folder) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def main() -> None:
    """Runs the contestants, and writes the page if a path is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--limit", type=int, default=20000)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = [f"--dataset={arguments.dataset}", f"--limit={arguments.limit}"]
    sizes += [f"--count={arguments.count}", f"--epochs={arguments.epochs}"]
    if arguments.child:
        fit(arguments.dataset, arguments.limit, arguments.count, arguments.epochs)
        return
    begun = machine.moment()
    commands = {_FIT: [sys.executable, "-m", "benchmarks.shadow_training", "--child", *sizes]}
    for name, flags in _FLAGS.items():
        commands[name] = [sys.executable, "-m", "tfinv_cli.main", "shadows", *sizes, *flags, "--workdir={folder}"]
    contestants: dict[str, Callable[[], None]] = {
        name: functools.partial(_run, command) for name, command in commands.items()
    }
    measured = timing.interleaved(contestants, arguments.repetitions, lambda line: print(line, flush=True))
    seconds = {name: values for name, (values, _) in measured.items()}
    lines = []
    for name, values in seconds.items():
        ratios = timing.ratios(values, seconds[_FIT])
        reached = "" if name == _FIT else "yes" if statistics.median(ratios) <= _LARGEST_RATIO else "no"
        lines.append([name, timing.median_and_range(values, ".1f"), timing.median_and_range(ratios, ".2f"), reached])
    page = (
        f"{arguments.count} shadows `cnn` on halves of {arguments.limit:,} images of {arguments.dataset}, {arguments.epochs} "
        f"epochs; median (least-most) of {arguments.repetitions} repetitions. {machine.describe()} {begun}\n\n"
        + timing.table(["", "s", f"of {_FIT}", f"at most {_LARGEST_RATIO:g}"], lines)
    )
    print(page)
    if arguments.output:
        arguments.output.write_text(page + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
