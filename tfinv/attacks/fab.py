"""Fast adaptive boundary attack: smallest perturbations by projections onto the linearised decision boundary."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.apgd import ranked_targets
from tfinv.attacks.base import Attack
from tfinv.attacks.crossing import approach
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.hyperplane import project
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import solved
from tfinv.classifier import Classifier
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradient
from tfinv.pool import State, advance, phases


@dataclasses.dataclass(frozen=True)
class FAB(Attack):
    """FAB-T (Croce and Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack").

    The paper's algorithm with fixed target classes, as in AutoAttack: the classes with the largest logits at the image, one after
    the other. Any misclassification counts. With a finite eps, an example stops at its first success within eps. With an infinite
    eps, all classes and restarts are tried, and the smallest perturbation is returned.

    Attributes:
      eps: largest distance of a success; infinity to search for the smallest perturbation.
      steps: of each class and restart.
      n_targets: number of target classes; at most all but the label.
      restarts: runs of each class. The first starts from the image, the others from random points at half the smallest distance so
        far, or half of eps.
      alpha_max: largest weight of the step from the original image, relative to the step from the current one.
      eta: extrapolation beyond the boundary.
      beta: factor by which the perturbation of a misclassified image shrinks.
    """

    NORMS = ("linf", "l2", "l1")
    TARGETED = False
    MINIMAL = True
    WARM = True

    eps: float = math.inf
    steps: int = 100
    n_targets: int = 9
    restarts: int = 1
    alpha_max: float = 0.1
    eta: float = 1.05
    beta: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "n_targets", "restarts", "eta")
        check_number(self, "from 0 to 1", lambda x: 0 <= x <= 1, "alpha_max", "beta")

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns one stage for each class and restart; if eps is infinite, a single stage, as the first success would end them."""
        return [(self, number) for number in range(self._runs(classifier) if math.isfinite(self.eps) else 1)]

    def perturb(self, problem: Problem) -> StageResult:
        """Runs one class and restart, or all of them if eps is infinite."""
        n, classifier = len(problem.images), problem.classifier
        state: State = {
            "image": problem.images,
            "label": problem.goals,
            "best": problem.images.copy(),
            "distance": np.full(n, np.inf, np.float32),
        }
        calls, zero = np.zeros(n, np.int64), np.ones(n, bool)
        for number in [problem.round] if math.isfinite(self.eps) else range(self._runs(classifier)):
            run = dataclasses.replace(problem, round=number)
            state["target"] = ranked_targets(run, self.n_targets)
            run_calls, run_zero = self._run(run, state)
            calls += run_calls
            zero &= run_zero
        solved_rows = np.flatnonzero(np.isfinite(state["distance"]))
        return StageResult(approach(problem, state["best"], solved_rows), calls, zero_gradients=zero)

    def _run(self, problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Takes all steps of one class and restart. Returns the gradient calls, and whether the first gradient was zero."""
        n, classifier = len(problem.images), problem.classifier
        step = compiled(classifier, ("fab", self.norm), _make_step(self.norm), *_ARGUMENTS)
        # Nearer than this, rounding can't move an image beyond eps.
        enough = self.eps * (1 - 1e-5) if math.isfinite(self.eps) else 0.0
        settings = [tf.constant(s, tf.float32) for s in (self.alpha_max, self.eta, self.beta)]
        state |= {"current": self._initial_images(problem, state["distance"]), "stalled": np.zeros(n, bool)}
        state["zero"] = np.zeros(n, bool)
        calls, rows, done = np.zeros(n, np.int64), np.arange(n), 0
        for length in phases(self.steps):

            def run(current, image, label, target, best, distance, zero, length=length, first=done == 0, **_):
                for i in range(length):
                    new = step(current, image, label, target, best, distance, *settings)
                    current, best, distance = new["current"], new["best"], new["distance"]
                    zero = new["zero"] if first and i == 0 else zero
                return new | {"zero": zero}

            advance(state, rows, problem.batch_size, run)
            calls[rows] += length
            done += length
            rows = rows[(state["distance"][rows] > enough) & ~state["stalled"][rows]]
            if not len(rows):
                break
        return calls, state["zero"]

    def _initial_images(self, problem: Problem, distance: np.ndarray) -> np.ndarray:
        """Returns the images; from the second restart on, random points at min(eps, smallest distance so far) / 2 from them."""
        images, number = problem.images, problem.round
        if number < self._classes(problem.classifier):
            return images.copy() if problem.start is None or number else problem.start.copy()
        radius = np.minimum(distance, np.float32(self.radius(problem.classifier))) / 2
        noise = random.normal(problem.seed, number, problem.rows, images.shape[1:])
        if self.norm == "linf":
            noise = 2.0 * random.uniform(problem.seed, number, problem.rows, images.shape[1:]) - 1.0
        noise *= threat.per_example(radius / threat.norms(noise, self.norm), noise)
        low, high = (np.float32(b) for b in problem.classifier.bounds)
        return np.clip(images + noise.numpy(), low, high)

    def _classes(self, classifier: Classifier) -> int:
        return min(self.n_targets, classifier.num_classes - 1)

    def _runs(self, classifier: Classifier) -> int:
        return self._classes(classifier) * self.restarts


_ARGUMENTS = ("images", "images", "labels", "labels", "images", "numbers", "scalar", "scalar", "scalar")


def _make_step(norm: str) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step, a function to a dictionary.

    In its result, `best` is the nearest misclassified image so far, at `distance`; `stalled` marks examples that no longer move,
    and `zero` those whose gradient is exactly zero.
    """

    def make(classifier):
        low, high = classifier.bounds

        def update_best(x, image, logits, label, best, distance):
            hit, size = solved(logits, label, targeted=False), threat.norms(x - image, norm)
            better = hit & (size < distance)
            return hit, tf.where(threat.per_example(better, x), x, best), tf.where(better, size, distance)

        def step(current, image, label, target, best, distance, alpha_max, eta, beta):
            def value(current):
                logits = classifier.gradient_logits(current)
                return _logit_difference(logits, target, label), logits

            (_, logits), gradient = input_gradient(value, current)
            gradient = threat.finite(gradient)
            if not classifier.exact_gradients:
                logits = classifier.logits(current)
            # Not in the paper: after the perturbation has been shrunk, the image may still be misclassified.
            _, best, distance = update_best(current, image, logits, label, best, distance)
            difference = _logit_difference(logits, target, label)
            difference_at_image = difference + tf.reduce_sum(gradient * (image - current), axis=[1, 2, 3])
            points, normals = tf.concat([current, image], 0), tf.concat([gradient, gradient], 0)
            moves = project(points, normals, tf.concat([difference, difference_at_image], 0), low, high, norm)
            move, image_move = tf.split(moves, 2)
            size, image_size = tf.split(threat.norms(moves, norm), 2)
            alpha = tf.minimum(tf.math.divide_no_nan(size, size + image_size), alpha_max)
            alpha = threat.per_example(alpha, current)
            moved = (1.0 - alpha) * (current + eta * move) + alpha * (image + eta * image_move)
            moved = tf.clip_by_value(moved, low, high)
            hit, best, distance = update_best(moved, image, classifier.logits(moved), label, best, distance)
            new = tf.where(threat.per_example(hit, moved), image + beta * (moved - image), moved)
            new = tf.clip_by_value(new, low, high)
            return {
                "current": new,
                "best": best,
                "distance": distance,
                "stalled": ~tf.reduce_any(new != current, axis=[1, 2, 3]),
                "zero": ~tf.reduce_any(gradient != 0, axis=[1, 2, 3]),
            }

        return step

    return make


def _logit_difference(logits, target, label):
    """Returns z_t - z_y, (batch,)."""
    return tf.gather(logits, target, batch_dims=1) - tf.gather(logits, label, batch_dims=1)
