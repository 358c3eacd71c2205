"""Fast minimum-norm attack: one run that gives the distance of every image, and so the accuracy at every eps."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.base import Attack
from tfinv.attacks.crossing import approach
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import solved
from tfinv.compiled import compiled
from tfinv.pool import State, advance, phases

_DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}


@dataclasses.dataclass(frozen=True)
class FMN(Attack):
    """FMN (Pintor et al. 2021, "Fast minimum-norm adversarial attacks through adaptive norm constraints").

    Steps along the gradient of the margin within a ball around the image. The ball reaches as far as the linearised boundary
    until the image is misclassified for the first time; from then on it shrinks while it is, and grows while it is not. The
    nearest misclassified image seen is moved back towards the original as far as it stays so.

    Some departures from the paper make the distances smaller and need no tuning to bounds and sizes. A step's length is a share
    of the ball's radius, in the attack's own norm (the paper: a given L2 length, along the plain gradient, for all norms). Pixels
    that the bounds stop count neither in the gradient nor in the distance to the boundary. Before the first success the ball grows
    with every step, so that a boundary that bends away is reached as well; where the gradient vanishes, it shrinks.

    Attributes:
      eps: largest distance that counts. If finite, the ball gets no larger, and an example is done with as soon as something
        within eps is found; the smallest perturbation needs infinity.
      steps: gradient steps, K.
      alpha_init: first step length, as a share of the ball's radius; falls to `alpha_final` along half a cosine.
      alpha_final: last step length.
      gamma_init: relative change of the ball's radius in the first step; falls to `gamma_final` likewise.
      gamma_final: relative change in the last step.
    """

    NORMS = ("linf", "l2", "l1")
    MINIMAL = True
    WARM = True

    eps: float = math.inf
    steps: int = 100
    alpha_init: float = 1.0
    alpha_final: float = 0.01
    gamma_init: float = 0.05
    gamma_final: float = 0.001

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "alpha_init", "alpha_final", "gamma_init", "gamma_final")
        check_number(self, "below 1", lambda x: x < 1, "gamma_init", "gamma_final")

    def perturb(self, problem: Problem) -> Found:
        """One run of all steps; the images that withstand it are the originals again."""
        classifier, n = problem.classifier, len(problem.images)
        step = compiled(
            classifier, ("fmn", self.norm, self.targeted), _make_step(self.norm, self.targeted), *_ARGUMENTS
        )
        # Without a limit the ball may get so large that it holds back no corner of the bounds.
        largest = tf.constant(self.radius(classifier) * (2 if math.isinf(self.eps) else 1), tf.float32)
        # Rounding may not take what is nearer than this beyond eps.
        enough = self.eps * (1 - 1e-5) if math.isfinite(self.eps) else 0.0
        state: State = {
            "current": (problem.images if problem.start is None else problem.start).copy(),
            "image": problem.images,
            "goal": problem.goals,
            "radius": np.full(n, self.radius(classifier), np.float32),
            "best": problem.images.copy(),
            "distance": np.full(n, np.inf, np.float32),
            "zero": np.zeros(n, bool),
        }
        alphas = _annealed(self.alpha_init, self.alpha_final, self.steps)
        gammas = _annealed(self.gamma_init, self.gamma_final, self.steps)
        calls, rows, done = np.zeros(n, np.int64), np.arange(n), 0
        for length in phases(self.steps):
            chosen = range(done, done + length)

            def run(current, image, goal, radius, best, distance, zero, chosen=chosen):
                for k in chosen:
                    new = step(current, image, goal, radius, best, distance, alphas[k], gammas[k], largest)
                    current, radius, best, distance = (new[x] for x in ("current", "radius", "best", "distance"))
                    zero = new["zero"] if k == 0 else zero
                return new | {"zero": zero}

            advance(state, rows, problem.batch_size, run)
            calls[rows] += length
            done += length
            rows = rows[state["distance"][rows] > enough]
            if not len(rows):
                break
        images = state["best"]
        if math.isinf(self.eps):
            found = np.flatnonzero(np.isfinite(state["distance"]))
            images = approach(problem, images, found, targeted=self.targeted)
        return Found(images, calls, zero_gradients=state["zero"])


_ARGUMENTS = ("images", "images", "labels", "numbers", "images", "numbers", "scalar", "scalar", "scalar")


def _annealed(first: float, last: float, steps: int) -> np.ndarray:
    """(steps,) from the first to the last along half a cosine."""
    return (last + (first - last) * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2).astype(np.float32)


def _make_step(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Returns what makes, for a classifier, one step.

    Of the result, `current` has moved within `radius`, `best` at `distance` is the nearest success seen, and `zero` says where the
    gradient is exactly zero.
    """
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        low, high = classifier.bounds

        def step(current, image, goal, radius, best, distance, alpha, gamma, largest):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(current)
                logits = classifier.gradient_logits(current)
                ahead = sign * margin(logits, goal)
            gradient = threat.finite(tape.gradient(ahead, current))
            if not classifier.exact_gradients:
                logits = classifier.logits(current)
                ahead = sign * margin(logits, goal)
            hit, size = solved(logits, goal, targeted), threat.norms(current - image, norm)
            better = hit & (size < distance)
            best = tf.where(threat.per_example(better, best), current, best)
            distance = tf.where(better, size, distance)

            stopped = ((current >= high) & (gradient > 0)) | ((current <= low) & (gradient < 0))
            free = tf.where(stopped, 0.0, gradient)
            to_boundary = size + tf.math.divide_no_nan(tf.abs(ahead), threat.norms(free, _DUAL[norm]))
            # The bounds may keep what is in the ball from its surface, and must not keep the ball from growing.
            seeking = tf.maximum(to_boundary, (1.0 + gamma) * tf.minimum(radius, 2.0 * size))
            grown = tf.where(tf.math.is_finite(distance), (1.0 + gamma) * radius, seeking)
            flat = ~tf.reduce_any(gradient != 0, axis=[1, 2, 3])
            missed = tf.where(flat, (1.0 - gamma) * size, tf.minimum(grown, largest))
            radius = tf.where(hit, tf.minimum((1.0 - gamma) * radius, distance), missed)

            moved = current - image + threat.per_example(alpha * radius, free) * _direction(free, norm)
            rows = tf.reshape(moved, [tf.shape(moved)[0], -1])
            moved = image + tf.reshape(threat.project(rows, radius[:, None], norm), tf.shape(moved))
            return {
                "current": tf.clip_by_value(moved, low, high),
                "radius": radius,
                "best": best,
                "distance": distance,
                "zero": flat,
            }

        return step

    return make


def _direction(gradient: tf.Tensor, norm: str) -> tf.Tensor:
    """The sign of the gradient, or itself, of norm 1."""
    if norm != "l1":
        return threat.steepest(gradient, norm)
    # The steepest direction is too sparse to find its way in so few steps.
    even = threat.steepest(gradient, "l2")
    return tf.math.divide_no_nan(even, threat.per_example(threat.norms(even, "l1"), even))
