"""Compiled step of Auto-PGD, the state that it updates, and the rule that halves its step size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import solved
from tfinv.classifier.gradients import input_gradient
from tfinv.pool import State

_RISES = 0.75  # rho: the share of steps that must increase the loss for the step size to stay

# Arrays that a step updates, and arrays that it only reads, with their types as `compiled` takes them.
MOVING = {
    "current": "images",
    "previous": "images",
    "gradient": "images",
    "best": "images",
    "best_gradient": "images",
    "value": "numbers",
    "best_value": "numbers",
    "rises": "numbers",
    "solved": "flags",
}
FIXED = {
    "image": "images",
    "label": "labels",
    "loss_class": "labels",
    "goal": "labels",
    "may_stop": "flags",
    "size": "numbers",
}


def initial_state(problem: Problem, start: np.ndarray, loss_classes: np.ndarray, may_stop: bool, size: float) -> State:
    """Returns the state before the first step.

    Args:
      problem: of the stage; n images.
      start: (n, H, W, C) images to start from.
      loss_classes: (n,) classes at which the loss is computed.
      may_stop: whether examples stop as soon as they are solved.
      size: first step size.
    """
    n = len(problem.images)
    start = np.array(start, np.float32)
    lowest = np.full(n, -np.inf, np.float32)
    return {
        "current": start,
        "previous": start.copy(),
        "gradient": np.zeros_like(start),
        "best": start.copy(),
        "best_gradient": np.zeros_like(start),
        "value": lowest,
        "best_value": lowest.copy(),
        "rises": np.zeros(n, np.float32),
        "solved": np.zeros(n, bool),
        "image": problem.images,
        "label": problem.labels,
        "loss_class": loss_classes,
        "goal": problem.goals,
        "may_stop": np.full(n, may_stop),
        "size": np.full(n, size, np.float32),
        "halved": np.ones(n, bool),
        "checked_value": lowest.copy(),
    }


def halve_steps(state: State, rows: np.ndarray, period: int) -> None:
    """Halves the step size of the rows that oscillate or make no progress, and resets them to their best point.

    Args:
      state: changed in place.
      rows: indices of the examples to check.
      period: steps since the last checkpoint.
    """
    oscillating = state["rises"][rows] < _RISES * period
    stalled = ~state["halved"][rows] & (state["best_value"][rows] <= state["checked_value"][rows])
    halved = oscillating | stalled
    state["halved"][rows] = halved
    state["checked_value"][rows] = state["best_value"][rows]
    state["rises"][rows] = 0
    reset = rows[halved]
    state["size"][reset] /= 2
    state["current"][reset] = state["best"][reset]
    state["gradient"][reset] = state["best_gradient"][reset]


def make_step(norm: str, targeted: bool, loss: Callable) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step, a function of the arrays in MOVING and FIXED, eps and the momentum, to MOVING.

    `loss` is a function of (logits, labels, loss_classes) to (batch,).
    """

    def make(classifier):
        low, high = classifier.bounds

        def step(
            current, previous, gradient, best, best_gradient, value, best_value, rises, done,
            image, label, loss_class, goal, may_stop, size, eps, momentum,
        ):  # fmt: skip
            def constrain(x):
                return tf.clip_by_value(image + threat.project(x - image, eps, norm), low, high)

            ascended = constrain(current + threat.per_example(size, current) * threat.steepest(gradient, norm))
            moved = constrain(current + momentum * (ascended - current) + (1.0 - momentum) * (current - previous))
            moved = tf.where(threat.per_example(done, current), current, moved)

            def losses(moved):
                logits = classifier.gradient_logits(moved)
                return loss(logits, label, loss_class), logits

            (values, logits), new_gradient = input_gradient(losses, moved)
            better = values > best_value
            better_image = threat.per_example(better, current)
            return (
                moved,
                current,
                new_gradient,
                tf.where(better_image, moved, best),
                tf.where(better_image, new_gradient, best_gradient),
                values,
                tf.where(better, values, best_value),
                rises + tf.cast(values > value, tf.float32),
                done | (may_stop & solved(logits, goal, targeted, classifier.exact_gradients)),
            )

        return step

    return make
