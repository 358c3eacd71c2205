"""Random noise: what an attacker without a model can do, and the yardstick that a real attack must beat."""

import dataclasses
import numbers
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack, pad
from tfinv.attacks.losses import margin
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Noise(Attack):
    """Draws perturbations of the largest size: corners of the L-inf ball, or the sphere of the L2 ball.

    Attributes:
      draws: tries an example; the one with the largest margin counts.
    """

    draws: int = 10

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.draws, numbers.Integral) or self.draws < 1:
            raise expected("draws of at least 1", self.draws, "Change the argument `draws`.")

    def perturb(self, classifier, images, goals, *, rows, seed, batch_size) -> Any:
        """The best of `draws` tries; takes no gradient, so none is zero."""
        n, low_high = len(images), classifier.bounds
        sign = -1.0 if self.targeted else 1.0
        x, y, padded = pad(images, batch_size), pad(goals, batch_size), pad(rows, batch_size)
        best, best_margin = images.copy(), np.full(n, -np.inf, np.float32)
        for draw in range(self.draws):
            direction = threat.steepest(random.normal(seed, draw, padded, images.shape[1:]), self.norm)
            tried = tf.clip_by_value(x + np.float32(self.radius(classifier)) * direction, *low_high)
            found = (sign * margin(classifier.compiled_logits(tried), y)).numpy()[:n]
            better = found > best_margin
            best[better], best_margin[better] = tried.numpy()[:n][better], found[better]
        return best, np.zeros(n, np.int64), np.zeros(n, bool)
