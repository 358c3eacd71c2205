"""Random noise: what an attacker without a model can do, and the yardstick that a real attack must beat."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Found, Problem


@dataclasses.dataclass(frozen=True)
class Noise(Attack):
    """Draws perturbations of the largest size: corners of the L-inf ball, or the sphere of the L2 ball.

    Attributes:
      draws: tries an example; the one with the largest margin counts, and the first that succeeds ends it.
    """

    NEEDS = "labels"

    draws: int = 10

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "draws")

    def perturb(self, problem: Problem) -> Any:
        """The best of `draws` tries."""
        classifier, n = problem.classifier, len(problem.images)
        radius = np.float32(self.radius(classifier))
        best, best_margin = problem.images.copy(), np.full(n, -np.inf, np.float32)
        queries, rows = np.zeros(n, np.int64), np.arange(n)
        for draw in range(self.draws):
            drawn = random.normal(problem.seed, draw, problem.rows[rows], problem.images.shape[1:])
            tried = problem.clip(problem.images[rows] + radius * threat.steepest(drawn, self.norm).numpy())
            logits = tf.constant(classifier.predict(tried, problem.batch_size))
            found = self.sign * margin(logits, tf.constant(problem.goals[rows])).numpy()
            better = found > best_margin[rows]
            best[rows[better]], best_margin[rows[better]] = tried[better], found[better]
            queries[rows] += 1
            rows = rows[best_margin[rows] <= 0]
            if not len(rows):
                break
        return Found(best, queries=queries)
