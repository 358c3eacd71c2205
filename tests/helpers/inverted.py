"""Results of an inversion of three models by two attacks: rows, arrays and pictures."""

import numpy as np
import sklearn.datasets

from tfinv.reporting import Check, Figure, Results
from tfinv.reporting.figures.course import course_rows
from tfinv.reporting.figures.nearest import RankedImages, class_grid, nearest_grid

WHITE = "white box; auxiliary data: none; training data: not touched"
LABELS = "labels; auxiliary data: 1,000 held-out images of digits; training data: not touched"
METHODS = {"miface": ("convergence", WHITE, 1.0), "brep": ("10,000 queries", LABELS, 0.6)}
LEAK = {"none": 0.9, "reversal": 0.3, "shuffled": 0.5}
EVALUATORS = ("cnn", "mlp", "robust cnn")
STEPS = np.array([0, 1, 3, 10, 30, 100, 300, 1000])
SEEDS = (0, 1, 2)


def row(experiment, method, budget, measure, value, seed=0, n=40, **fields):
    ci95 = [max(0.0, value - 0.08), value + 0.08 if "distance" in measure else min(1.0, value + 0.08)]
    base = {"kind": "inversion", "experiment": experiment, "method": method, "budget": budget, "measure": measure}
    return base | {"value": value, "n": n, "ci95": ci95, "seed": seed} | fields


def _measure_rows(experiment, method, budget, leak, seeds, **fields):
    rows = []
    for seed in (*seeds, list(seeds)) if len(seeds) > 1 else seeds:
        pooled = isinstance(seed, list)
        n, shift = (40 * len(seeds), 0.0) if pooled else (40, 0.02 * (seed - 1))
        keys = {"seed": seed, "n": n, **fields}
        for k, evaluator in enumerate(EVALUATORS):
            rate = max(0.0, leak + shift - 0.05 * k)
            for measure, value, better in (("acc@1", rate, "higher"), ("feature_distance", 1.2 - rate, "lower")):
                rows.append(row(experiment, method, budget, measure, value, evaluator=evaluator, better=better, **keys))
        rows.append(row(experiment, method, budget, "ssim_to_nearest", leak / 2, better="higher", **keys))
        rows.append(row(experiment, method, budget, "steps", 812.0, **keys))
    return rows


def make_rows():
    rng = np.random.default_rng(0)
    rows = []
    for name, leak in {"held-out images": 0.97, "class mean": 0.85}.items():
        rows += _measure_rows(name, "reference", "none", leak, (0,))
    rows += _measure_rows("start", "reference", "none", 0.1, (0,), of="miface")
    for experiment, leak in LEAK.items():
        for seed in SEEDS:
            fields = {"n": 10000, "ci95": [0.975, 0.985], "seed": seed, "epochs": 3, "seconds": 9.5}
            base = {"kind": "training", "experiment": experiment, "metric": "test_accuracy", "value": 0.98}
            rows.append(base | fields)
            rows.append(
                row(experiment, "fresh-decoder", "convergence", "relative_error", 1 - leak, seed, better="lower")
            )
        for method, (budget, knowledge, skill) in METHODS.items():
            rows += _measure_rows(experiment, method, budget, leak * skill, SEEDS, knowledge=knowledge)
            for seed in SEEDS:
                cost = np.exp(-STEPS / 100)[:, None] * (3 - leak) + 0.1 * rng.random((len(STEPS), 10))
                confidence = np.clip(1 - cost / 3, 0, 1) * leak
                keys = {"experiment": experiment, "method": method, "budget": budget, "seed": seed}
                rows += course_rows(STEPS, cost, confidence, **keys)
    return rows


def arrays():
    """Returns digits as training images, and reconstructions: noisy class means, three of each of four classes.

    Returns:
      Training images, their labels, the class means, the reconstructions, their labels.
    """
    data = sklearn.datasets.load_digits()
    training_images, training_labels = (data.images[..., None] / 16).astype(np.float32), data.target
    means = np.stack([training_images[training_labels == k].mean(0) for k in range(10)])
    labels = np.repeat(np.arange(4), 3)
    noise = np.random.default_rng(0).normal(0, 0.1, (12, 8, 8, 1))
    images = np.clip(means[labels] + noise, 0, 1).astype(np.float32)
    return training_images, training_labels, means, images, labels


def rank(images, labels, training_images, training_labels, k=3, same_class=False):
    """Returns the k nearest training images by cosine similarity of pixels."""

    def unit(x):
        flat = x.reshape(len(x), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    similarities = unit(images) @ unit(training_images).T
    if same_class:
        similarities = np.where(labels[:, None] == training_labels[None], similarities, -np.inf)
    order = np.argsort(-similarities, axis=1)[:, :k]
    return RankedImages(order, np.take_along_axis(similarities, order, 1))


def make_results(workdir):
    training_images, training_labels, means, images, labels = arrays()
    names = [f"digit {k}" for k in range(10)]
    class_grid(images, labels, means, names, workdir / "figures/classes.png")
    training = (training_images, training_labels)
    neighbours = [rank(images[::3], labels[::3], *training, same_class=same_class) for same_class in (False, True)]
    nearest_grid(images[::3], labels[::3], *training, *neighbours, names, workdir / "figures/nearest.png")
    return Results(
        "invert",
        {"dataset": "digits", "seeds": list(SEEDS)},
        make_rows(),
        [Check("evaluators-are-accurate", True, "cnn 99.0 %, mlp 97.9 %.", "Train them longer.")],
        [
            Figure("classes", "Reconstructions by class", "MIFace on the undefended model.", "figures/classes.png"),
            Figure("nearest", "Nearest training images", "Index, class, cosine similarity.", "figures/nearest.png"),
        ],
        12.0,
    )
