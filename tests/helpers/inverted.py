"""An inversion of two defences by two attackers, as its command would leave it: rows, arrays and pictures."""

import numpy as np
import sklearn.datasets

from tfinv.reporting import Check, Figure, Results, figures
from tfinv.reporting.course import course_rows
from tfinv.reporting.nearest import Ranked

WHITE = "white box; auxiliary data: none; training data: not touched"
LABELS = "labels; auxiliary data: 1,000 held-out images of digits; training data: not touched"
METHODS = {"miface": ("convergence", WHITE, 1.0), "brep": ("10,000 queries", LABELS, 0.6)}
LEAK = {"none": 0.9, "reversal": 0.3, "shuffled": 0.5}
JUDGES = ("cnn", "mlp", "robust cnn")
STEPS = np.array([0, 1, 3, 10, 30, 100, 300, 1000])
SEEDS = (0, 1, 2)


def row(experiment, method, budget, measure, value, seed=0, n=40, **more):
    ci95 = [max(0.0, value - 0.08), value + 0.08 if "distance" in measure else min(1.0, value + 0.08)]
    base = {"kind": "inversion", "experiment": experiment, "method": method, "budget": budget, "measure": measure}
    return base | {"value": value, "n": n, "ci95": ci95, "seed": seed} | more


def _measured(experiment, method, budget, leak, seeds, **more):
    rows = []
    for seed in (*seeds, list(seeds)) if len(seeds) > 1 else seeds:
        pooled = isinstance(seed, list)
        n, shift = (40 * len(seeds), 0.0) if pooled else (40, 0.02 * (seed - 1))
        keys = {"seed": seed, "n": n, **more}
        for k, judge in enumerate(JUDGES):
            value = max(0.0, leak + shift - 0.05 * k)
            rows.append(row(experiment, method, budget, "acc@1", value, evaluator=judge, better="higher", **keys))
            far = row(
                experiment, method, budget, "feature_distance", 1.2 - value, evaluator=judge, better="lower", **keys
            )
            rows.append(far)
        rows.append(row(experiment, method, budget, "ssim_to_nearest", leak / 2, better="higher", **keys))
        rows.append(row(experiment, method, budget, "steps", 812.0, **keys))
    return rows


def make_rows():
    rng = np.random.default_rng(0)
    rows = []
    for name, leak in {"held-out images": 0.97, "class mean": 0.85}.items():
        rows += _measured(name, "reference", "none", leak, (0,))
    rows += _measured("start", "reference", "none", 0.1, (0,), of="miface")
    for experiment, leak in LEAK.items():
        for seed in SEEDS:
            more = {"n": 10000, "ci95": [0.975, 0.985], "seed": seed, "epochs": 3, "seconds": 9.5}
            base = {"kind": "training", "experiment": experiment, "metric": "test_accuracy", "value": 0.98}
            rows.append(base | more)
            rows.append(
                row(experiment, "fresh-decoder", "convergence", "relative_error", 1 - leak, seed, better="lower")
            )
        for method, (budget, knowledge, skill) in METHODS.items():
            rows += _measured(experiment, method, budget, leak * skill, SEEDS, knowledge=knowledge)
            for seed in SEEDS:
                cost = np.exp(-STEPS / 100)[:, None] * (3 - leak) + 0.1 * rng.random((len(STEPS), 10))
                sure = np.clip(1 - cost / 3, 0, 1) * leak
                keys = {"experiment": experiment, "method": method, "budget": budget, "seed": seed}
                rows += course_rows(STEPS, cost, sure, **keys)
    return rows


def arrays():
    """Digits as training images, and reconstructions: each digit's mean with noise, three of each of four classes."""
    data = sklearn.datasets.load_digits()
    training, labels = (data.images[..., None] / 16).astype(np.float32), data.target
    means = np.stack([training[labels == k].mean(0) for k in range(10)])
    wanted = np.repeat(np.arange(4), 3)
    noise = np.random.default_rng(0).normal(0, 0.1, (12, 8, 8, 1))
    images = np.clip(means[wanted] + noise, 0, 1).astype(np.float32)
    return training, labels, means, images, wanted


def ranked(images, wanted, training, labels, k=3, own=False):
    """The k nearest by the cosine of pixels."""

    def unit(x):
        flat = x.reshape(len(x), -1)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    found = unit(images) @ unit(training).T
    if own:
        found = np.where(wanted[:, None] == labels[None], found, -np.inf)
    order = np.argsort(-found, axis=1)[:, :k]
    return Ranked(order, np.take_along_axis(found, order, 1))


def make_results(workdir):
    training, labels, means, images, wanted = arrays()
    names = [f"digit {k}" for k in range(10)]
    figures.class_grid(images, wanted, means, names, workdir / "figures/classes.png")
    near = [ranked(images[::3], wanted[::3], training, labels, own=own) for own in (False, True)]
    figures.nearest_grid(images[::3], wanted[::3], training, labels, *near, names, workdir / "figures/nearest.png")
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
