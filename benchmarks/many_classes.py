"""Losses of PGD over the number of classes: `python -m benchmarks.many_classes --workdir=runs/many-classes`.

For 2 to 5,000 classes, PGD with its default settings and each loss attacks a linear model, whose robust accuracy is known exactly,
and a trained network, with their logits as they are, and ten and a hundred times as large. Finished rows stay in the workdir.
"""

import argparse
import functools
import pathlib
import shlex
import sys
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from benchmarks import machine, timing
from tfinv import Classifier, files
from tfinv.attacks import LOSSES, PGD

CLASSES = (2, 10, 100, 1000, 5000)
FACTORS = (1.0, 10.0, 100.0)
SHAPE = (14, 14, 1)
SIZE = 14 * 14
_DEFAULT = PGD().loss
_STANDING = 0.2  # share of the images that the optimum leaves on a linear model


def patterns(classes: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the patterns of the classes, (classes, SIZE) in -1..1, and n noisy images in [0, 1] of them with labels."""
    rng = np.random.default_rng(seed)
    signs = np.sign(np.random.default_rng(0).normal(size=(classes, SIZE)))
    labels = rng.integers(0, classes, n)
    noisy = 0.5 + 0.1 * signs[labels] + rng.uniform(-0.2, 0.2, (n, SIZE))
    return signs, noisy.reshape(n, *SHAPE).astype(np.float32), labels


def linear(classes: int, images: np.ndarray, seed: int) -> tuple[Callable, np.ndarray, float]:
    """Returns a linear model, its labels, and the eps at which `_STANDING` of the images withstand every perturbation.

    The distance of an image to the boundary is the least (z_y - z_k) / |w_y - w_k|_1 over the classes k, as the pixels' bounds are
    farther away than it.
    """
    weights = np.random.default_rng(seed).normal(size=(classes, SIZE)) * 0.1
    weights += 0.1 * patterns(classes, 1, 0)[0]
    logits = (images.reshape(len(images), SIZE) - 0.5) @ weights.T
    labels, distances = logits.argmax(1), np.empty(len(images))
    for i, y in enumerate(labels):
        widths = np.abs(weights[y] - weights).sum(1)
        others = np.arange(classes) != y
        distances[i] = ((logits[i, y] - logits[i]) / np.where(others, widths, 1.0))[others].min()
    matrix = tf.constant(weights.T, tf.float32)
    return lambda x: tf.reshape(x - 0.5, [-1, SIZE]) @ matrix, labels, float(np.quantile(distances, 1 - _STANDING))


def trained(classes: int, seed: int) -> keras.Model:
    """Returns a network of one hidden layer, trained on noisy images of the patterns."""
    keras.utils.set_random_seed(seed)
    _, images, labels = patterns(classes, max(10_000, 10 * classes), seed + 1)
    layers = [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(classes)]
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Rescaling(2.0, -1.0), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(images, labels, batch_size=128, epochs=3, verbose=0)
    return model


def classifier(fn: Callable, factor: float, classes: int) -> Classifier:
    """Returns a classifier of logits times a factor."""
    return Classifier.from_callable(lambda x: factor * fn(x), input_shape=SHAPE, num_classes=classes, outputs="logits")


def middling_eps(victim: Classifier, images: np.ndarray, labels: np.ndarray) -> float:
    """Returns the smallest eps of a row at which a short PGD leaves at most half of the images standing."""
    for eps in 0.005 * 1.2 ** np.arange(25):
        standing = 1 - PGD(eps=float(eps), steps=10, loss="margin")(victim, images[:100], labels[:100]).success.mean()
        if standing <= 0.5:
            break
    return float(eps)


def measure(kind: str, classes: int, n: int, seed: int) -> list[dict]:
    """Returns rows of one model: factor, eps, clean accuracy, optimum, and the robust accuracy by loss."""
    _, images, labels = patterns(classes, n, seed + 2)
    if kind == "linear":
        fn, labels, eps = linear(classes, images, seed)
        optimum: float | None = _STANDING
    else:
        network = trained(classes, seed)
        fn, optimum = functools.partial(network, training=False), None
        eps = middling_eps(classifier(fn, 1.0, classes), images, labels)
    rows = []
    for factor in FACTORS:
        victim = classifier(fn, factor, classes)
        clean = float(np.mean(victim.predict(images).argmax(1) == labels))
        losses = {}
        for loss in LOSSES:
            result = PGD(eps=eps, loss=loss)(victim, images, labels, seed=seed, batch_size=n)
            losses[loss] = float(1 - result.success.mean())
            print(f"  {kind}, {classes} classes, x{factor:g}, {loss}: {losses[loss]:.3f}", flush=True)
        rows.append({"factor": factor, "eps": eps, "clean": clean, "optimum": optimum, "losses": losses})
    return rows


def page(tables: dict[tuple[str, int], list[dict]], n: int, moment: str) -> str:
    """Returns the page of all models that have been measured."""
    parts = [
        "# Losses over the number of classes",
        f"```console\n{shlex.join(['python', '-m', 'benchmarks.many_classes', *sys.argv[1:]])}\n```",
        f"{moment} {machine.describe()}",
        f"Robust accuracy in % of {n} images under L-inf PGD with its default settings (40 steps, one random start) and each loss; "
        f"`{_DEFAULT}` is the default. Images, start and eps of a line are the same for all. Logits are multiplied by the factor.",
    ]
    worst = 0.0
    for kind, title in (("linear", "Linear models"), ("trained", "Trained networks")):
        lines = []
        for (name, classes), rows in sorted(tables.items()):
            for row in rows if name == kind else ():
                values = [f"{100 * row['losses'][loss]:.1f}" for loss in LOSSES]
                start = [f"{classes:,}", f"x{row['factor']:g}", f"{row['eps']:.4f}", f"{100 * row['clean']:.1f}"]
                start += [f"{100 * row['optimum']:.1f}"] if kind == "linear" else []
                lines.append([*start, *values])
                worst = max(worst, row["losses"][_DEFAULT] - min(row["losses"].values()))
        if lines:
            header = ["classes", "logits", "eps", "clean", *(["optimum"] if kind == "linear" else []), *LOSSES]
            parts += [f"## {title}", timing.table(header, lines)]
    parts.append(
        f"The default leaves at most {100 * worst:.1f} points more standing than the best of these losses in any line."
    )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=pathlib.Path, default=pathlib.Path("runs/many-classes"))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tables, moment = {}, machine.moment()
    for classes in CLASSES:
        for kind in ("linear", "trained"):
            path = arguments.workdir / f"{kind}-{classes}-{arguments.images}-{arguments.seed}.json"
            if not path.exists():
                files.write_json(path, measure(kind, classes, arguments.images, arguments.seed))
            tables[kind, classes] = files.read_json(path)
            files.write_text(arguments.workdir / "many-classes.md", page(tables, arguments.images, moment))
    print((arguments.workdir / "many-classes.md").read_text())


if __name__ == "__main__":
    main()
