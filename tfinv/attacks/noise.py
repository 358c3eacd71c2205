"""Random noise: a baseline that needs no gradients, which every other attack must beat."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Problem, StageResult
from tfinv.classifier.compiled import compiled
from tfinv.pool import batches, nearest_rows


@dataclasses.dataclass(frozen=True)
class Noise(Attack):
    """Random perturbations of the largest size: corners of the L-inf ball, or points of the L2 sphere.

    Attributes:
      draws: perturbations tried for each example. The one with the largest margin counts; the first success ends the search.
      nearest: give up on what is far from success as the search goes on; see `pool.nearest_rows`.
    """

    NEEDS = "labels"

    draws: int = 10
    nearest: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "draws")

    def perturb(self, problem: Problem) -> StageResult:
        """Returns the best of the random draws."""
        classifier, n, size = problem.classifier, len(problem.images), problem.batch_size
        radius = tf.constant(self.radius(classifier), tf.float32)
        kind = ("noise", self.norm, self.targeted)
        perturbed = compiled(classifier, kind, _make_perturbed(*kind[1:]), "images", "labels", "images", "scalar")
        best, best_margins = problem.images.copy(), np.full(n, -np.inf, np.float32)
        queries, rows = np.zeros(n, np.int64), np.arange(n)
        draw = 0
        while draw < self.draws and len(rows):
            # Of few examples several draws fill a batch.
            count = max(1, min(size // len(rows), self.draws - draw))
            tried, numbers = rows, range(draw, draw + count)
            shape = problem.images.shape[1:]
            drawn = tf.concat([random.normal(problem.seed, k, problem.rows[tried], shape) for k in numbers], 0)
            candidates, margins = self._candidates(perturbed, problem, np.tile(tried, count), drawn, radius)
            for k in numbers:
                places = np.flatnonzero(np.isin(tried, rows)) + (k - draw) * len(tried)
                better = margins[places] > best_margins[rows]
                best[rows[better]], best_margins[rows[better]] = candidates[places[better]], margins[places[better]]
                queries[rows] += 1
                rows = rows[best_margins[rows] <= 0]
                if self.nearest:
                    rows = nearest_rows(rows, best_margins, k, k + 1, self.draws)
            draw += count
        return StageResult(best, queries=queries)

    def _candidates(self, perturbed, problem, rows, drawn, radius):
        """Perturbed images of some rows, and their margins, in batches."""
        parts = [
            perturbed(problem.images[part], problem.goals[part], drawn[start : start + len(part)], radius)
            for start, part in zip(
                range(0, len(rows), problem.batch_size), batches(rows, problem.batch_size), strict=False
            )
        ]
        return tuple(np.concatenate([value.numpy() for value in values]) for values in zip(*parts, strict=True))


def _make_perturbed(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> function of (images, goals, draws, radius) to (perturbed images, margins)."""
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        def perturbed(images, goals, drawn, radius):
            candidates = tf.clip_by_value(images + radius * threat.steepest(drawn, norm), *classifier.bounds)
            return candidates, sign * margin(classifier.logits(candidates), goals)

        return perturbed

    return make
