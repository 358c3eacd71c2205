"""Claimed epsilon of `dp_sgd` beside what one training refutes: `python -m benchmarks.dp_audit --workdir=runs/dp-audit`.

Canaries are images of coin-tossed pixels under labels drawn at random, or training images under wrong labels, each in the training
set by a fair coin. A network is trained by `dp_sgd` on other images and on the canaries that came in, by the Poisson batches that
its epsilon is stated for. What the network learnt of each canary, the label's margin after the training less that before it, is the
score of `evaluation.membership.one_run` (Steinke, Nasr and Jagielski 2023), whose lower bound on epsilon must not exceed the claim.
Without noise there is no claim, and the bound says whether the canaries are able to find something. Shuffled batches, for which
epsilon would be another, are refused by the training.
"""

import argparse
import dataclasses
import pathlib
import time
from typing import Any

import numpy as np

from benchmarks import machine, timing
from tfinv import Classifier, datasets, files, models
from tfinv.datasets import Dataset
from tfinv.evaluation.membership.one_run import OneRunAudit, audit_one_run
from tfinv.membership.signals import margin
from tfinv.training.base import Plan
from tfinv.training.dp_sgd import DPSGD
from tfinv.training.fit import fit

# Canaries called in, and as many called out, as shares of all: decided before any score is seen.
_SHARES = (0.02, 0.05, 0.1, 0.25)


@dataclasses.dataclass(frozen=True, eq=False)
class Canaries:
    """Images that a network can only have learnt by heart, and their coins.

    Attributes:
      data: m canaries.
      included: (m,) bool, who is in the training set.
      training: the training set, other images first.
    """

    data: Dataset
    included: np.ndarray
    training: Dataset


def make_canaries(source: Dataset, others: int, count: int, seed: int, kind: str = "random") -> Canaries:
    """The first `others` images as they are, and canaries: the next `count` "mislabelled", or as many "random" ones."""
    generator = np.random.default_rng(seed)
    classes, rows = len(source.class_names), np.arange(others, others + count)
    pixels, labels = np.array(source.pixels[: others + count]), np.array(source.labels[: others + count])
    labels[rows] = (labels[rows] + generator.integers(1, classes, count)) % classes
    if kind == "random":
        bright = 255 if pixels.dtype == np.uint8 else 1
        pixels[rows] = bright * generator.integers(0, 2, pixels[rows].shape)
    included = generator.random(count) < 0.5
    whole = dataclasses.replace(source, pixels=pixels, labels=labels)
    return Canaries(whole.subset(rows), included, whole.subset(np.concatenate([np.arange(others), rows[included]])))


def audit(
    canaries: Canaries, defence: DPSGD, *, epochs: int, batch_size: int, rate: float, seed: int
) -> dict[str, Any]:
    """Trains once; the claim, the refuted epsilon, and how the training went."""
    import keras

    keras.utils.set_random_seed(seed)
    network = models.build("mlp(units=128)", canaries.data.image_shape, len(canaries.data.class_names))
    plan = Plan(network, canaries.training, epochs, batch_size, seed)
    training = defence.training(plan)
    training.compile(keras.optimizers.SGD(rate, momentum=0.9))
    before = _margins(network, canaries.data)
    start = time.perf_counter()
    logs = fit(training, canaries.training, epochs=epochs, batch_size=batch_size, seed=seed)
    result = audit_canaries(
        _margins(training.export_classifier(), canaries.data) - before, canaries.included, defence.delta
    )
    claims = {row["metric"]: row["value"] for row in defence.costs(plan)}
    return {
        "noise": defence.noise,
        "claimed": claims.get("epsilon"),
        "delta": defence.delta,
        "bound": result.epsilon,
        "guesses": result.guesses,
        "correct": result.correct,
        "p_value": None if not claims else result.p_value(claims["epsilon"]),
        "accuracy": float(logs["accuracy"]),
        "steps": plan.steps,
        "n": len(canaries.training),
        "seconds": time.perf_counter() - start,
    }


def audit_canaries(scores: np.ndarray, included: np.ndarray, delta: float) -> OneRunAudit:
    """The audit of the best of a few numbers of guesses, which pays for the choice."""
    counts = [max(1, round(share * len(scores))) for share in _SHARES]
    return audit_one_run(scores, included, [(count, count) for count in counts], delta=delta)


def _margins(network, data):
    return margin(Classifier.from_keras(network).predict(data.images), data.labels)


def page(results: dict[str, Any]) -> str:
    """Markdown of all figures."""
    lines = []
    for row in results["rows"]:
        claimed = "none" if row["claimed"] is None else f"{row['claimed']:.2f}"
        verdict = "no claim" if row["claimed"] is None else "**yes**" if row["bound"] > row["claimed"] else "no"
        share = f"{row['correct']} of {row['guesses']}"
        lines.append(
            [f"{row['noise']:g}", claimed, f"{row['bound']:.2f}", share, verdict, f"{100 * row['accuracy']:.1f}"]
        )
    header = ["noise", "claimed epsilon", "refuted below", "guessed right", "contradicted", "training accuracy, %"]
    return (
        f"{results['machine']} {results['moment']}\n\n"
        f"{results['canaries']} {results['kind']} canaries, of which {results['included']} came in, beside {results['others']} "
        f"other images of {results['dataset']}; {results['epochs']} epochs of batches of {results['batch_size']} on average, SGD "
        f"with momentum at a rate of {results['rate']:g}, delta {results['delta']:g}, seed {results['seed']}.\n\n"
        f"{timing.table(header, lines)}\n"
    )


def main() -> None:
    """Trains and audits with each noise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", default="runs/dp-audit")
    parser.add_argument("--dataset", default="mnist5k")
    parser.add_argument("--data_dir")
    parser.add_argument("--others", type=int, default=500, help="training images that are no canaries")
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--kind", choices=("random", "mislabelled"), default="random")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.3, 0.5, 0.7, 1.1, 2.0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.0, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    source = datasets.load(arguments.dataset, "train", data_dir=arguments.data_dir)
    canaries = make_canaries(source, arguments.others, arguments.canaries, arguments.seed, arguments.kind)
    results: dict[str, Any] = {"moment": machine.moment(), "machine": machine.describe(), "delta": DPSGD().delta}
    results |= {
        k: getattr(arguments, k)
        for k in ("dataset", "others", "canaries", "kind", "epochs", "batch_size", "rate", "seed")
    }
    results |= {"included": int(canaries.included.sum()), "rows": []}
    settings = {k: getattr(arguments, k) for k in ("epochs", "batch_size", "rate", "seed")}
    for noise in arguments.noise:
        results["rows"].append(audit(canaries, DPSGD(noise=noise), **settings))
        print(results["rows"][-1], flush=True)
    workdir = pathlib.Path(arguments.workdir)
    files.write_json(workdir / "dp-audit.json", results)
    files.write_text(workdir / "dp-audit.md", page(results))
    print(page(results))


if __name__ == "__main__":
    main()
