"""Success of an attack on each image at each eps: one run a budget, or as few runs as the order of the budgets allows."""

import dataclasses
import itertools
import math
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv import threat
from tfinv.attacks import Attack
from tfinv.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Success, distance and cost of an attack on n images at m budgets.

    Attributes:
      success: (m, n) bool.
      distances: (m, n) float64, realised, in units of the bounds; NaN where an image was not attacked at a budget.
      gradient_calls: (m, n).
      queries: (m, n).
      zero_gradients: (m, n) bool.
      seconds: (m,) of each budget's runs.
    """

    success: np.ndarray
    distances: np.ndarray
    gradient_calls: np.ndarray
    queries: np.ndarray
    zero_gradients: np.ndarray
    seconds: np.ndarray

    @classmethod
    def empty(cls, m: int, n: int) -> "Outcome":
        """An outcome before the first run."""
        counts = np.zeros((2, m, n), np.int64)
        flags = np.zeros((2, m, n), bool)
        return cls(flags[0], np.full((m, n), np.nan), counts[0], counts[1], flags[1], np.zeros(m))


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Images of a classifier under attack.

    Attributes:
      classifier: under test.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      rows: (n,) places in the data set.
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


def attack_at_each(
    chunk: Chunk,
    attack: Attack,
    eps: Sequence[float],
    *,
    seed: int = 0,
    batch_size: int = 256,
    mode: str = "independent",
    checkpoint: pathlib.Path | None = None,
) -> tuple[Outcome, np.ndarray]:
    """Attacks the images at every eps.

    An attack for the smallest perturbation runs once, without a limit if there are several eps. Any other runs once an eps if
    they are "independent". "bisected" looks for each image's own threshold: what succeeds at one eps does so at each larger one,
    whose ball holds the smaller, and what fails at one is taken to fail at each smaller one, which could only hide a success that
    a wider search missed. So each of m budgets is tried for some images only, and each image about log2(m + 1) times, from where
    the last run ended. The accuracies are still upper bounds of the robust accuracy.

    Args:
      chunk: n images, their labels and places, and the classifier under test.
      attack: its own eps is replaced.
      eps: m budgets in units of the bounds.
      seed: of the attack's draws.
      batch_size: examples in one compiled call.
      mode: "independent" or "bisected".
      checkpoint: file for the state of each run; removed when all are done, since a later one starts from what an earlier one
        found to the last bit.

    Returns:
      The outcome, and (k, n, H, W, C) adversarial images: one set for each eps (k = m) if independent, else the ones at each
      image's smallest successful eps (k = 1).
    """
    m, n = len(eps), len(chunk.images)
    outcome = Outcome.empty(m, n)
    options: dict[str, Any] = {"seed": seed, "batch_size": batch_size}
    numbers = itertools.count()  # of the runs, which a killed evaluation repeats in the same order
    states = list[pathlib.Path]()

    def run(k: int, chosen: np.ndarray, start: np.ndarray | None = None, limit: float | None = None) -> np.ndarray:
        begin = time.perf_counter()
        path = checkpoint and checkpoint.with_name(f"{checkpoint.stem}-{next(numbers)}.npz")
        limited = dataclasses.replace(attack, eps=eps[k] if limit is None else limit)
        state = path if path and len(limited.stages(chunk.classifier)) > 1 else None
        result = limited(
            chunk.classifier,
            chunk.images[chosen],
            chunk.labels[chosen],
            rows=chunk.rows[chosen],
            start=start,
            checkpoint=state,
            **options,
        )
        if state:
            states.append(state)
        outcome.seconds[k] += time.perf_counter() - begin
        for name in ("success", "distances", "gradient_calls", "queries", "zero_gradients"):
            getattr(outcome, name)[k, chosen] = getattr(result, name)
        return result.images

    everyone = np.arange(n)
    if attack.MINIMAL:
        adversarial = _search(outcome, chunk.images, eps, run)[None]
    elif mode == "independent":
        adversarial = np.stack([run(k, everyone) for k in range(m)])
    else:
        adversarial = _bisect(outcome, chunk.images, eps, attack.norm, run)[None]
    for path in states:
        path.unlink(missing_ok=True)
    return outcome, adversarial


def _search(outcome: Outcome, images, eps, run) -> np.ndarray:
    """Fills the outcome from one run of a minimal attack, and returns each image's adversarial or the image."""
    m, n = outcome.success.shape
    top = int(np.argmax(eps))
    # A limit would end the search at the first success within it, which tells nothing of smaller budgets.
    best = run(top, np.arange(n), limit=math.inf if m > 1 else None)
    success, distances = outcome.success[top].copy(), outcome.distances[top].copy()
    for k in range(m):
        near = distances <= eps[k]
        outcome.success[k], outcome.distances[k] = success & near, np.where(near, distances, 0.0)
        outcome.zero_gradients[k] = outcome.zero_gradients[top]
    best[~outcome.success[top]] = images[~outcome.success[top]]
    return best


def _bisect(outcome: Outcome, images, eps, norm, run) -> np.ndarray:
    """Fills the outcome and returns each image's adversarial at its smallest successful eps, or its last attempt."""
    order = np.argsort(eps, kind="stable")
    radii = np.asarray(eps)[order]
    m, n = outcome.success.shape
    failed, solved = np.full(n, -1), np.full(n, m)  # places in `order`
    best = images.copy()
    latest = images.copy()
    while True:
        # Of two the larger: an image that withstands costs an attack all its steps, and then needs no other run.
        middle = (failed + solved + 1) // 2
        pending = solved - failed > 1
        if not pending.any():
            break
        for place in np.unique(middle[pending]):
            chosen = np.flatnonzero(pending & (middle == place))
            k = order[place]
            first = not np.isfinite(outcome.distances[:, chosen]).any()
            moved = run(k, chosen, None if first else latest[chosen])
            latest[chosen] = moved
            hit = outcome.success[k, chosen]
            best[chosen[hit]] = moved[hit]
            failed[chosen[~hit]] = place
            # What succeeded may lie well inside its budget, and then it settles smaller ones too.
            moved_by = threat.distances(moved[hit], images[chosen[hit]], norm)
            solved[chosen[hit]] = np.minimum(place, np.searchsorted(radii, moved_by))
    untried = solved == m
    best[untried] = latest[untried]
    for place, k in enumerate(order):
        outcome.success[k] = solved <= place
    return best
