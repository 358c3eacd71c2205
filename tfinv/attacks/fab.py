"""Fast adaptive boundary attack: the smallest perturbation, by projections onto the linearised decision boundary."""

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
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import solved
from tfinv.classifier import Classifier
from tfinv.compiled import compiled
from tfinv.pool import State, advance, phases


@dataclasses.dataclass(frozen=True)
class FAB(Attack):
    """FAB-T (Croce and Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack").

    The paper's algorithm, with the class whose boundary it moves to fixed, as in AutoAttack: one after the other those with the
    largest logits at the image. Any misclassification counts. With a finite eps an example is done with as soon as something
    within eps is found; with none, all classes and restarts are tried, and the smallest perturbation is returned.

    Attributes:
      eps: largest distance that counts; infinity for the smallest that can be found.
      steps: of one class and restart.
      n_targets: classes, at most all but the label.
      restarts: runs a class, the first from the image, the others from random points half as far as the best found, or eps.
      alpha_max: largest weight of the step from the original in that from the current image.
      eta: extrapolation beyond the boundary.
      beta: share of the way from the original that is kept after a misclassified image.
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
        """One a class and restart; a single one that has them all if eps is infinite, as any success would end it."""
        return [(self, number) for number in range(self._runs(classifier) if math.isfinite(self.eps) else 1)]

    def perturb(self, problem: Problem) -> Found:
        """The best of one class and restart, or of all."""
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
            taken, flat = self._run(run, state)
            calls += taken
            zero &= flat
        found = np.flatnonzero(np.isfinite(state["distance"]))
        return Found(approach(problem, state["best"], found), calls, zero_gradients=zero)

    def _run(self, problem: Problem, state: State) -> tuple[np.ndarray, np.ndarray]:
        """All steps of one class and restart: gradients taken, and whether the first one was zero."""
        n, classifier = len(problem.images), problem.classifier
        step = compiled(classifier, ("fab", self.norm), _make_step(self.norm), *_ARGUMENTS)
        # Rounding may not take what is nearer than this beyond eps.
        enough = self.eps * (1 - 1e-5) if math.isfinite(self.eps) else 0.0
        settings = [tf.constant(s, tf.float32) for s in (self.alpha_max, self.eta, self.beta)]
        state |= {"current": self._begin(problem, state["distance"]), "still": np.zeros(n, bool)}
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
            rows = rows[(state["distance"][rows] > enough) & ~state["still"][rows]]
            if not len(rows):
                break
        return calls, state["zero"]

    def _begin(self, problem: Problem, distance: np.ndarray) -> np.ndarray:
        """The image, or from the second restart on a point at min(eps, distance of the best) / 2 from it."""
        images, number = problem.images, problem.round
        if number < self._classes(problem.classifier):
            return images.copy() if problem.start is None or number else problem.start.copy()
        radius = np.minimum(distance, np.float32(self.radius(problem.classifier))) / 2
        drawn = random.normal(problem.seed, number, problem.rows, images.shape[1:])
        if self.norm == "linf":
            drawn = 2.0 * random.uniform(problem.seed, number, problem.rows, images.shape[1:]) - 1.0
        drawn *= threat.per_example(radius / threat.norms(drawn, self.norm), drawn)
        low, high = (np.float32(b) for b in problem.classifier.bounds)
        return np.clip(images + drawn.numpy(), low, high)

    def _classes(self, classifier: Classifier) -> int:
        return min(self.n_targets, classifier.num_classes - 1)

    def _runs(self, classifier: Classifier) -> int:
        return self._classes(classifier) * self.restarts


_ARGUMENTS = ("images", "images", "labels", "labels", "images", "numbers", "scalar", "scalar", "scalar")


def _make_step(norm: str) -> Callable[[Any], Callable]:
    """Returns what makes, for a classifier, one step.

    Of the result, `best` at `distance` is the nearest misclassified image seen, `still` says where nothing moves any more, and
    `zero` where the gradient is exactly zero.
    """

    def make(classifier):
        low, high = classifier.bounds

        def keep(x, image, logits, label, best, distance):
            hit, size = solved(logits, label, targeted=False), threat.norms(x - image, norm)
            better = hit & (size < distance)
            return hit, tf.where(threat.per_example(better, x), x, best), tf.where(better, size, distance)

        def step(current, image, label, target, best, distance, alpha_max, eta, beta):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(current)
                logits = classifier.gradient_logits(current)
                ahead = _ahead(logits, target, label)
            gradient = threat.finite(tape.gradient(ahead, current))
            if not classifier.exact_gradients:
                logits = classifier.logits(current)
            # Not in the paper: what is left of a misclassified image after the step back may still be misclassified.
            _, best, distance = keep(current, image, logits, label, best, distance)
            ahead = _ahead(logits, target, label)
            ahead_there = ahead + tf.reduce_sum(gradient * (image - current), axis=[1, 2, 3])
            points, normals = tf.concat([current, image], 0), tf.concat([gradient, gradient], 0)
            moves = project(points, normals, tf.concat([ahead, ahead_there], 0), low, high, norm)
            here, there = tf.split(moves, 2)
            size, size_there = tf.split(threat.norms(moves, norm), 2)
            alpha = tf.minimum(tf.math.divide_no_nan(size, size + size_there), alpha_max)
            alpha = threat.per_example(alpha, current)
            moved = (1.0 - alpha) * (current + eta * here) + alpha * (image + eta * there)
            moved = tf.clip_by_value(moved, low, high)
            hit, best, distance = keep(moved, image, classifier.logits(moved), label, best, distance)
            new = tf.where(threat.per_example(hit, moved), image + beta * (moved - image), moved)
            new = tf.clip_by_value(new, low, high)
            return {
                "current": new,
                "best": best,
                "distance": distance,
                "still": ~tf.reduce_any(new != current, axis=[1, 2, 3]),
                "zero": ~tf.reduce_any(gradient != 0, axis=[1, 2, 3]),
            }

        return step

    return make


def _ahead(logits, target, label):
    """z_t - z_y, (batch,)."""
    return tf.gather(logits, target, batch_dims=1) - tf.gather(logits, label, batch_dims=1)
