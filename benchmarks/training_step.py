"""Cost of a training step over that of its bare passes: `python -m benchmarks.training_step --workdir=runs/bench-step`.

For each recipe of robust training: seconds of a compiled training step over seconds of the passes through the network that it
requires, which are those back to the images for the perturbation, and those back to the weights with the optimizer's update. A bare
pass is compiled alone, without budget, random start and metrics. Both run in turn, in one process, and are built and compiled
several times, since one compilation may be luck. Run it on an idle machine; `--quick` shows that all works.
"""

import argparse
import dataclasses
import pathlib
import statistics
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import machine, timing
from tfinv import files, models
from tfinv.datasets import Dataset
from tfinv.training.base import Plan, cross_entropy
from tfinv.training.defence import Defence
from tfinv.training.defences import CombinedDefence, defence, show
from tfinv.training.free import Free
from tfinv.training.trades import Trades

_LIMIT = 1.1
_LINF = ("adversarial", "fast", "nfgsm", "free", "trades", "mart")
_RECIPES = (*_LINF, *(f"{name}(norm=l2)" for name in _LINF))
_QUICK = ("adversarial(norm=l2,steps=2)", "fast", "nfgsm", "free(replays=2)", "trades(steps=2)", "mart(steps=2)")
_NETS: dict[str, tuple[Callable[..., keras.Model], tuple[int, int, int]]] = {
    "conv net, 28x28x1": (models.cnn, (28, 28, 1)),
    "ResNet-20, 32x32x3": (models.resnet, (32, 32, 3)),
}


@dataclasses.dataclass(frozen=True)
class Passes:
    """Passes of a training step through the network.

    Attributes:
      forward: forward passes, statistics frozen.
      images: passes forward and back to the images, statistics frozen.
      weights: updates, each with a pass forward and back to the weights on every batch.
      batches: batches that one update learns from.
      image_gradient: whether an update computes the gradient of the images, too.
    """

    forward: int = 0
    images: int = 0
    weights: int = 1
    batches: int = 1
    image_gradient: bool = False

    def __str__(self) -> str:
        to = "weights and images" if self.image_gradient else "weights"
        parts = [(self.forward, "forward"), (self.images, "to images"), (self.weights * self.batches, f"to {to}")]
        return ", ".join(f"{n} {kind}" for n, kind in parts if n)


def passes(recipe: Defence) -> Passes:
    """Counts the passes of one training step of a recipe without a decoder."""
    if isinstance(recipe, CombinedDefence):
        raise SystemExit(f"Expected recipes without a decoder. Received: {show(recipe)}. Change --recipes.")
    if isinstance(recipe, Free):
        return Passes(weights=recipe.replays, image_gradient=True)
    batches = 2 if recipe.NAME in ("trades", "mart") else 1
    return Passes(forward=int(isinstance(recipe, Trades)), images=getattr(recipe, "steps", 1), batches=batches)


def step_runner(recipe: Defence, network: keras.Model, data: Dataset) -> Callable[[], float]:
    """Builds one training step as `fit` compiles it."""
    model = recipe.training(Plan(network, data, 1, len(data)))
    model.compile(keras.optimizers.Adam(1e-3))
    step = tf.function(model.train_step, jit_compile=model.jit_compile)
    batch = tf.constant(data.images), tf.constant(data.labels)
    return lambda: float(step(batch)["loss"])


def passes_runner(counts: Passes, network: keras.Model, data: Dataset) -> Callable[[], float]:
    """Builds the same passes, each a compiled function and nothing else."""
    model = keras.Model(network.inputs, network.outputs)
    model.compile(keras.optimizers.Adam(1e-3), loss=None)
    model.optimizer.build(network.trainable_variables)
    images, labels = tf.constant(data.images), tf.constant(data.labels)
    # Two different batches, since TensorFlow would compute equal ones once.
    batches = (images, 1.0 - images)[: counts.batches]

    def forward():
        return network(images, training=False)

    def to_images():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            loss = cross_entropy(labels, network(images, training=False))
        return tape.gradient(loss, images)

    def to_weights():
        variables = network.trainable_variables
        with tf.GradientTape() as tape:
            tape.watch([images] * counts.image_gradient)
            loss = tf.add_n([cross_entropy(labels, network(x, training=True)) for x in batches])
        sources = (variables, images) if counts.image_gradient else (variables, [])
        gradients, ascent = tape.gradient(loss, sources)
        model.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, ascent

    compiled = [tf.function(f, jit_compile=model.jit_compile) for f in (forward, to_images, to_weights)]
    runs = [f for f, n in zip(compiled, (counts.forward, counts.images, counts.weights), strict=True) for _ in range(n)]

    def run() -> float:
        for f in runs:
            outputs = f()
        return float(outputs[0])  # waits for the device

    return run


def measure(
    specs: tuple[str, ...], batch: int, steps: int, repetitions: int, seed: int, *, compilations: int = 1
) -> list[dict[str, Any]]:
    """Measures the seconds of a step and of its passes, for each network and recipe.

    Compilations of the same step differ more from each other than repetitions of one.

    Args:
      specs: text forms of the recipes.
      batch: images a step.
      steps: steps in one measurement.
      repetitions: measurements of each compilation.
      seed: of weights and images.
      compilations: times that each is built and compiled.
    """
    rows = []
    for title, (architecture, shape) in _NETS.items():
        rng = np.random.default_rng(seed)
        images = rng.uniform(0, 1, (batch, *shape)).astype(np.float32)
        data = Dataset("noise", "train", images, rng.integers(0, 10, batch), tuple("0123456789"))
        for spec in specs:
            recipe = defence(spec)
            seconds: dict[str, list[float]] = {"step": [], "passes": []}
            for _ in range(compilations):
                keras.utils.set_random_seed(seed)
                runs = {
                    "step": step_runner(recipe, architecture(shape, 10), data),
                    "passes": passes_runner(passes(recipe), architecture(shape, 10), data),
                }
                for run in runs.values():
                    run()  # compiles
                repeated = {name: _repeat(run, steps) for name, run in runs.items()}
                measurements = timing.interleaved(
                    repeated, repetitions, lambda line, row=f"{title}, {spec}": print(f"  {row}: {line}")
                )
                for name in runs:
                    seconds[name] += [s / steps for s in measurements[name][0]]
            rows.append({"network": title, "recipe": spec, "consists_of": str(passes(recipe)), **seconds})
    return rows


def _repeat(run: Callable[[], float], times: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            run()

    return repeat


def page(rows: list[dict[str, Any]], stamps: dict[str, str], batch: int) -> str:
    """Returns the figures as Markdown, and whether each ratio keeps the limit."""
    header = ["network", "recipe", "passes", "step, ms", "passes, ms", "ratio", f"at most {_LIMIT}"]
    lines = []
    for row in rows:
        ratio = timing.ratios(row["step"], row["passes"])
        milliseconds = [timing.median_and_range([1000 * s for s in row[name]], ".1f") for name in ("step", "passes")]
        holds = "yes" if statistics.median(ratio) <= _LIMIT else "**no**"
        lines.append(
            [
                row["network"],
                f"`{row['recipe']}`",
                row["consists_of"],
                *milliseconds,
                timing.median_and_range(ratio, ".2f"),
                holds,
            ]
        )
    intro = (
        f"Seconds of one compiled training step on {batch} images, and of the bare passes through the network that it consists of, "
        "each compiled alone, those to the weights with the optimizer's update: median (least-largest) over all compilations and "
        "repetitions; the ratio is of the same repetition."
    )
    parts = [
        "# A training step over its passes",
        intro,
        stamps["machine"],
        stamps["moment"],
        timing.table(header, lines),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/bench-step")
    parser.add_argument("--output", help="the page; default: training-step.md in the workdir")
    parser.add_argument("--recipes", nargs="+", help=f"text forms; default: {' '.join(_RECIPES)}")
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="in one measurement")
    parser.add_argument("--compilations", type=int, default=3, help="of each step and its passes")
    parser.add_argument("--repetitions", type=int, default=3, help="of each compilation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one step of small batches, to see that all works")
    arguments = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # which warns of retracing, taking the functions of all recipes for one
    workdir = pathlib.Path(arguments.workdir)
    stamps = {"moment": machine.moment(), "machine": machine.describe()}
    specs = tuple(arguments.recipes or (_QUICK if arguments.quick else _RECIPES))
    batch, steps, repetitions = (
        (8, 1, 2) if arguments.quick else (arguments.batch_size, arguments.steps, arguments.repetitions)
    )
    rows = measure(
        specs, batch, steps, repetitions, arguments.seed, compilations=1 if arguments.quick else arguments.compilations
    )
    files.write_json(workdir / "training-step.json", {**stamps, "batch_size": batch, "rows": rows})
    output = pathlib.Path(arguments.output or workdir / "training-step.md")
    files.write_text(output, page(rows, stamps, batch))
    print(f"{output.read_text()}\n{output}")


if __name__ == "__main__":
    main()
