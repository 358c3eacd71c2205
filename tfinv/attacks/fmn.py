"""Fast minimum-norm attack: one run gives the smallest perturbation of every image, and so the accuracy at every eps."""

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
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import solved
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradient
from tfinv.pool import State, advance, phases

_DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}


@dataclasses.dataclass(frozen=True)
class FMN(Attack):
    """FMN (Pintor et al. 2021, "Fast minimum-norm adversarial attacks through adaptive norm constraints").

    Takes steps along the gradient of the margin within a ball around the image. Until the first success, the radius of the ball
    is the distance to the linearised boundary; then it decreases at misclassified images and increases at others. The nearest
    misclassified image is moved back towards the original as far as it stays misclassified.

    Some changes to the paper's algorithm make the distances smaller and need no tuning to bounds and sizes. The length of a step
    is a share of the ball's radius, in the attack's norm (the paper: a given L2 length along the plain gradient, for all norms).
    Pixels that the bounds stop count neither in the gradient nor in the distance to the boundary. Before the first success the
    ball grows in every step, so that a boundary that bends away is reached as well; where the gradient vanishes, it shrinks.

    Attributes:
      eps: largest distance of a success. If finite, it limits the ball, and an example stops at its first success within eps;
        infinity searches for the smallest perturbation.
      steps: gradient steps, K.
      alpha_init: first step length, as a share of the ball's radius; decreases to `alpha_final` along half a cosine.
      alpha_final: last step length.
      gamma_init: relative change of the ball's radius in the first step; decreases to `gamma_final` likewise.
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

    def perturb(self, problem: Problem) -> StageResult:
        """Takes all steps. Images that stay correctly classified are returned unchanged."""
        classifier, n = problem.classifier, len(problem.images)
        step = compiled(
            classifier, ("fmn", self.norm, self.targeted), _make_step(self.norm, self.targeted), *_ARGUMENTS
        )
        # Without a limit, the ball may become large enough to contain all corners of the bounds.
        largest = tf.constant(self.radius(classifier) * (2 if math.isinf(self.eps) else 1), tf.float32)
        # Nearer than this, rounding can't move an image beyond eps.
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
            numbers = range(done, done + length)

            def run(current, image, goal, radius, best, distance, zero, numbers=numbers):
                for k in numbers:
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
            solved_rows = np.flatnonzero(np.isfinite(state["distance"]))
            images = approach(problem, images, solved_rows, targeted=self.targeted)
        return StageResult(images, calls, zero_gradients=state["zero"])


_ARGUMENTS = ("images", "images", "labels", "numbers", "images", "numbers", "scalar", "scalar", "scalar")


def _annealed(first: float, last: float, steps: int) -> np.ndarray:
    """Returns values from the first to the last along half a cosine, (steps,)."""
    return (last + (first - last) * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2).astype(np.float32)


def _make_step(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step, a function to a dictionary.

    In its result, `current` has moved within `radius`; `best` is the nearest success so far, at `distance`; `zero` marks examples
    whose gradient is exactly zero.
    """
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        low, high = classifier.bounds

        def step(current, image, goal, radius, best, distance, alpha, gamma, largest):
            def value(current):
                logits = classifier.gradient_logits(current)
                return sign * margin(logits, goal), logits

            (margins, logits), gradient = input_gradient(value, current)
            gradient = threat.finite(gradient)
            if not classifier.exact_gradients:
                logits = classifier.logits(current)
                margins = sign * margin(logits, goal)
            hit, size = solved(logits, goal, targeted), threat.norms(current - image, norm)
            better = hit & (size < distance)
            best = tf.where(threat.per_example(better, best), current, best)
            distance = tf.where(better, size, distance)

            stopped = ((current >= high) & (gradient > 0)) | ((current <= low) & (gradient < 0))
            free = tf.where(stopped, 0.0, gradient)
            to_boundary = size + tf.math.divide_no_nan(tf.abs(margins), threat.norms(free, _DUAL[norm]))
            # The bounds may keep the image away from the surface of the ball; the ball grows nevertheless.
            before_success = tf.maximum(to_boundary, (1.0 + gamma) * tf.minimum(radius, 2.0 * size))
            grown = tf.where(tf.math.is_finite(distance), (1.0 + gamma) * radius, before_success)
            flat = ~tf.reduce_any(gradient != 0, axis=[1, 2, 3])
            radius_if_missed = tf.where(flat, (1.0 - gamma) * size, tf.minimum(grown, largest))
            radius = tf.where(hit, tf.minimum((1.0 - gamma) * radius, distance), radius_if_missed)

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
    """Returns the direction of a step, of norm 1: the steepest for L-inf and L2, the gradient itself for L1."""
    if norm != "l1":
        return threat.steepest(gradient, norm)
    # The steepest direction of L1 is too sparse to reach the boundary in so few steps.
    scaled = threat.steepest(gradient, "l2")
    return tf.math.divide_no_nan(scaled, threat.per_example(threat.norms(scaled, "l1"), scaled))
