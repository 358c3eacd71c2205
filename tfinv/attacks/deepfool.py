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
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import solved
from tfinv.compiled import compiled
from tfinv.pool import advance, phases

# How far each step goes beyond the boundary, as a share of the width of the bounds.
_BEYOND = 1e-5
_DUAL = {"linf": "l1", "l2": "l2"}


@dataclasses.dataclass(frozen=True)
class DeepFool(Attack):
    """DeepFool (Moosavi-Dezfooli et al. 2016), for several classes, in L2 and L-inf.

    Each step goes to the boundary that is nearest if all are linear, and a little beyond, until the image is misclassified.
    The steps add up outside the bounds, which the paper does not have, and the image is their sum cut to the bounds: pixels that
    are stopped there go on counting, and the others take over step by step.

    Attributes:
      eps: largest distance that counts.
      steps: at most.
      overshoot: share of the sum of all steps that it goes too far.
      candidates: classes with the largest logits at the current image, whose boundaries are looked at, the label's own one
        included; a gradient each.
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

    def perturb(self, problem: Problem) -> Found:
        """One run of all steps; the images that withstand it are the originals again."""
        classifier, n = problem.classifier, len(problem.images)
        others = min(self.candidates, classifier.num_classes) - 1
        make = _make_step(self.norm, others)
        step = compiled(
            classifier, ("deepfool", self.norm, others), make, "images", "images", "images", "labels", "scalar"
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
            calls[rows] += length * others
            done += length
            rows = rows[~state["done"][rows]]
            if not len(rows):
                break
        found = state["current"]
        withstood = classifier.predict(found, problem.batch_size).argmax(axis=1) == problem.goals
        found[withstood] = problem.images[withstood]
        return Found(found, calls, zero_gradients=state["zero"])


def _make_step(norm: str, others: int) -> Callable[[Any], Callable]:
    """Returns what makes, for a classifier, a step (current, total, image, label, overshoot) -> dictionary.

    `current` in the result has moved, but where it was misclassified already. `done` says where it was, or where nothing moves,
    and `zero` where all gradients are exactly zero.
    """

    def make(classifier):
        low, high = classifier.bounds

        def step(current, total, image, label, overshoot):
            with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                tape.watch(current)
                traced = classifier.gradient_logits(current)
                logits = tf.stop_gradient(traced) if classifier.exact_gradients else classifier.logits(current)
                rivals = _rivals(logits, label, others)
                parts = tf.unstack(_behind(traced, rivals, label), axis=1)
            gradients = threat.finite(tf.stack([tape.gradient(part, current) for part in parts], axis=1))
            behind = _behind(logits, rivals, label)
            dual = tf.stack([threat.norms(g, _DUAL[norm]) for g in tf.unstack(gradients, axis=1)], axis=1)
            away = tf.where(dual > 0, tf.abs(behind) / dual, np.inf)
            nearest = tf.argmin(away, axis=1)
            normal = tf.gather(gradients, nearest, batch_dims=1)
            # To just beyond the boundary, so that rounding does not leave it there.
            length = tf.where(dual > 0, tf.abs(behind) / dual + _BEYOND * (high - low), 0.0)
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
    """(batch, count) classes other than the label, largest logit first."""
    own = tf.one_hot(label, tf.shape(logits)[1]) > 0
    return tf.math.top_k(tf.where(own, logits.dtype.min, logits), count).indices


def _behind(logits, rivals, label):
    """(batch, count) logits of the rivals less that of the label."""
    return tf.gather(logits, rivals, batch_dims=1) - tf.gather(logits, label, batch_dims=1)[:, None]
