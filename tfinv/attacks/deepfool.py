"""DeepFool: steps to the nearest of the linearised decision boundaries."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import solved
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradients
from tfinv.pool import advance, phases

# Distance by which each step goes beyond the boundary, as a share of the width of the bounds.
_BEYOND = 1e-5
_DUAL = {"linf": "l1", "l2": "l2"}


@dataclasses.dataclass(frozen=True)
class DeepFool(Attack):
    """DeepFool (Moosavi-Dezfooli et al. 2016), for several classes, in L2 and L-inf.

    Each step goes slightly beyond the nearest of the linearised boundaries, until the image is misclassified. The paper has no
    bounds; here the sum of the steps is not bounded, and the image is that sum clipped to the bounds. So pixels at a bound
    still count in the length of a step, and the other pixels make up for them step by step.

    Attributes:
      eps: largest distance of a success.
      steps: largest number of steps.
      overshoot: extrapolation beyond the boundary, as a share of the sum of all steps.
      candidates: number of classes with the largest logits, the label included, whose boundaries are considered; each costs a
        gradient.
    """

    NORMS = ("linf", "l2")
    TARGETED = False
    MINIMAL = True

    eps: float = math.inf
    steps: int = 50
    overshoot: float = 0.02
    candidates: int = 10

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "overshoot", "candidates")
        check_number(self, "of at least 2", lambda x: x >= 2, "candidates")

    def perturb(self, problem: Problem) -> StageResult:
        """Takes all steps. Images that stay correctly classified are returned unchanged."""
        classifier, n = problem.classifier, len(problem.images)
        rival_count = min(self.candidates, classifier.num_classes) - 1
        make = _make_step(self.norm, rival_count)
        step = compiled(
            classifier, ("deepfool", self.norm, rival_count), make, "images", "images", "images", "labels", "scalar"
        )
        overshoot = tf.constant(self.overshoot, tf.float32)
        state = {
            "current": problem.images.copy(),
            "total": np.zeros_like(problem.images),
            "image": problem.images,
            "label": problem.goals,
            "done": np.zeros(n, bool),
            "zero": np.zeros(n, bool),
        }
        calls, rows, done = np.zeros(n, np.int64), np.arange(n), 0
        for length in phases(self.steps):

            def run(current, total, image, label, zero, length=length, first=done == 0, **_):
                for i in range(length):
                    new = step(current, total, image, label, overshoot)
                    current, total = new["current"], new["total"]
                    zero = new["zero"] if first and i == 0 else zero
                return new | {"zero": zero}

            advance(state, rows, problem.batch_size, run)
            calls[rows] += length * rival_count
            done += length
            rows = rows[~state["done"][rows]]
            if not len(rows):
                break
        images = state["current"]
        robust = classifier.predict(images, problem.batch_size).argmax(axis=1) == problem.goals
        images[robust] = problem.images[robust]
        return StageResult(images, calls, zero_gradients=state["zero"])


def _make_step(norm: str, rival_count: int) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step(current, total, image, label, overshoot) -> dictionary.

    In its result, `current` has moved unless it was misclassified before; `total` is the sum of all steps; `done` marks examples
    that have not moved, and `zero` those whose gradients are all exactly zero.
    """

    def make(classifier):
        low, high = classifier.bounds

        def step(current, total, image, label, overshoot):
            def parts(current):
                traced = classifier.gradient_logits(current)
                logits = tf.stop_gradient(traced) if classifier.exact_gradients else classifier.logits(current)
                rivals = _rivals(logits, label, rival_count)
                return tf.unstack(_differences(traced, rivals, label), axis=1), logits, rivals

            (_, logits, rivals), gradients = input_gradients(parts, current)
            gradients = threat.finite(tf.stack(gradients, axis=1))
            differences = _differences(logits, rivals, label)
            dual_norms = tf.stack([threat.norms(g, _DUAL[norm]) for g in tf.unstack(gradients, axis=1)], axis=1)
            distances = tf.where(dual_norms > 0, tf.abs(differences) / dual_norms, np.inf)
            nearest = tf.argmin(distances, axis=1)
            normal = tf.gather(gradients, nearest, batch_dims=1)
            # Slightly beyond the boundary, so that rounding does not decide.
            length = tf.where(dual_norms > 0, tf.abs(differences) / dual_norms + _BEYOND * (high - low), 0.0)
            length = tf.gather(length, nearest, batch_dims=1)
            total += threat.per_example(length, current) * threat.steepest(normal, norm)
            moved = tf.clip_by_value(image + (1.0 + overshoot) * total, low, high)
            hit = solved(logits, label, targeted=False)
            moved = tf.where(threat.per_example(hit, current), current, moved)
            return {
                "current": moved,
                "total": total,
                "done": ~tf.reduce_any(moved != current, axis=[1, 2, 3]),
                "zero": ~tf.reduce_any(gradients != 0, axis=[1, 2, 3, 4]),
            }

        return step

    return make


def _rivals(logits, label, count):
    """Returns the classes other than the label with the largest logits, in descending order, (batch, count)."""
    is_label = tf.one_hot(label, tf.shape(logits)[1]) > 0
    return tf.math.top_k(tf.where(is_label, logits.dtype.min, logits), count).indices


def _differences(logits, rivals, label):
    """Returns the logits of the rivals minus that of the label, (batch, count)."""
    return tf.gather(logits, rivals, batch_dims=1) - tf.gather(logits, label, batch_dims=1)[:, None]
