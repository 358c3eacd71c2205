"""Accuracy under attack: rows of kind "accuracy" (see `tfinv.reporting.results`)."""

import dataclasses
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfinv.attacks import Attack, AttackResult
from tfinv.classifier import Classifier
from tfinv.evaluation.intervals import rate_interval
from tfinv.specs import show


def accuracy_row(
    experiment: str, attack: str, eps: float, correct: np.ndarray, seed: int, **more: Any
) -> dict[str, Any]:
    """One row of accuracy.

    Args:
      experiment: which classifier.
      attack: its name; "none" for clean images.
      eps: fraction of the bounds' width.
      correct: (n,) bool.
      seed: of the run.
      **more: further keys of the schema.
    """
    hits, n = int(np.sum(correct)), len(correct)
    return {
        "kind": "accuracy",
        "experiment": experiment,
        "attack": attack,
        "eps": float(eps),
        "accuracy": hits / n,
        "n": n,
        "ci95": list(rate_interval(hits, n)),
        "seed": seed,
        **more,
    }


def accuracy_curve(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    attacks: Iterable[tuple[str, Attack]],
    eps: Sequence[float],
    *,
    experiment: str,
    seed: int = 0,
    batch_size: int = 256,
) -> list[dict[str, Any]]:
    """Accuracy on clean images, then under each attack at each eps.

    Args:
      classifier: under test.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      attacks: names and attacks; their own eps is replaced.
      eps: fractions of the bounds' width; 0 is the clean row, which is always there.
      experiment: the name of the rows.
      seed: of the attacks' draws.
      batch_size: examples in one compiled call.

    Returns:
      Rows of kind "accuracy".
    """
    correct = classifier.predict(images, batch_size).argmax(1) == labels
    rows = [accuracy_row(experiment, "none", 0.0, correct, seed)]
    for name, attack in attacks:
        for fraction in eps:
            if fraction == 0:
                continue
            begin = time.perf_counter()
            scaled = scale_eps(attack, fraction, classifier)
            result = scaled(classifier, images, labels, seed=seed, batch_size=batch_size)
            rows.append(
                accuracy_row(
                    experiment,
                    name,
                    fraction,
                    ~result.success,
                    seed,
                    spec=show(name.partition("(")[0], scaled),
                    seconds=round(time.perf_counter() - begin, 2),
                    **realised(result, correct, attack.norm),
                )
            )
    return rows


def scale_eps(attack: Attack, fraction: float, classifier: Classifier) -> Attack:
    """The attack with its eps set to a fraction of the width of the classifier's bounds."""
    low, high = classifier.bounds
    return dataclasses.replace(attack, eps=fraction * (high - low))


def realised(result: AttackResult, attacked: np.ndarray, norm: str) -> dict[str, Any]:
    """What was done to the images that were right from the start: distances in units of the bounds, zero gradients."""
    if not attacked.any():
        return {"norm": norm}
    moved = result.distances[attacked]
    found: dict[str, Any] = {
        "norm": norm,
        "max_distance": float(moved.max()),
        "mean_distance": float(moved.mean()),
    }
    if result.gradient_calls.any():
        found["zero_gradients"] = float(result.zero_gradients[attacked].mean())
    return found
