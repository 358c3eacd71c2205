"""Where the way from an image to an adversarial one crosses the decision boundary."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import ROUNDING
from tfinv.compiled import compiled
from tfinv.pool import advance


def approach(
    problem: Problem,
    found: np.ndarray,
    rows: np.ndarray,
    steps: int = 3,
    targeted: bool = False,
    confidence: float = 0.0,
) -> np.ndarray:
    """Moves adversarial images back towards the originals as far as they stay adversarial: a secant search.

    Each step takes the margin for linear between the nearest adversarial image on the way and the nearest that is not (Croce and
    Hein 2020, FAB, final search). It aims just beyond the boundary, where rounding does not decide. After a step that fell short
    the margin at the far end counts half (the Illinois method), or a margin that curves upwards would never be crossed.

    Args:
      problem: the images and labels to leave, or targets to reach.
      found: (n, H, W, C) images, those of `rows` adversarial.
      rows: places in `found` to work on.
      steps: of the search.
      targeted: whether adversarial means classified as the goal.
      confidence: margin by which it has to be.

    Returns:
      (n, H, W, C): `found`, with those rows adversarial still and no farther from the originals.
    """
    arguments = ("images", "images", "labels", "scalar")
    search = compiled(problem.classifier, ("approach", steps, targeted), _make_search(steps, targeted), *arguments)
    least = tf.constant(confidence, tf.float32)
    state = {"image": problem.images, "outer": found.copy(), "goal": problem.goals}
    advance(state, rows, problem.batch_size, lambda **s: {"outer": search(s["image"], s["outer"], s["goal"], least)})
    return state["outer"]


def _make_search(steps: int, targeted: bool) -> Callable[[Any], Callable]:
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        def evaluate(x, goal, least):
            logits = classifier.logits(x)
            rounding = ROUNDING * tf.reduce_max(tf.abs(logits), axis=1)
            ahead = sign * margin(logits, goal) - least
            return ahead - 2 * rounding, ahead > rounding

        def search(inner, outer, goal, least):
            inside, outside = evaluate(inner, goal, least)[0], evaluate(outer, goal, least)[0]
            for _ in range(steps):
                share = tf.clip_by_value(tf.math.divide_no_nan(outside, outside - inside), 0.0, 1.0)
                tried = outer + threat.per_example(share, outer) * (inner - outer)
                value, hit = evaluate(tried, goal, least)
                wide = threat.per_example(hit, outer)
                outer, outside = tf.where(wide, tried, outer), tf.where(hit, value, outside / 2)
                inner, inside = tf.where(wide, inner, tried), tf.where(hit, inside, value)
            return outer

        return search

    return make
