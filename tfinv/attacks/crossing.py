"""Search for the decision boundary on the line between an image and an adversarial one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import ROUNDING
from tfinv.classifier.compiled import compiled
from tfinv.pool import advance


def approach(
    problem: Problem,
    adversarial: np.ndarray,
    rows: np.ndarray,
    steps: int = 3,
    targeted: bool = False,
    confidence: float = 0.0,
) -> np.ndarray:
    """Moves adversarial images back towards the originals as far as they stay adversarial, by a secant search.

    Each step interpolates the margin linearly between the nearest adversarial image on the line and the farthest that is not
    adversarial (Croce and Hein 2020, FAB, final search). It aims slightly beyond the boundary, where rounding does not decide.
    After a step that ends at an image that is not adversarial, the margin at the adversarial end is halved (Illinois method);
    otherwise the search would not converge on a convex margin.

    Args:
      problem: original images, with the labels to leave or the targets to reach.
      adversarial: (n, H, W, C); the images in `rows` are adversarial.
      rows: indices of the images to move.
      steps: number of steps of the search.
      targeted: whether adversarial means classified as the goal.
      confidence: margin, in logits, that adversarial images keep.

    Returns:
      (n, H, W, C): copy of `adversarial`, whose `rows` are still adversarial and no farther from the originals.
    """
    types = ("images", "images", "labels", "scalar")
    search = compiled(problem.classifier, ("approach", steps, targeted), _make_search(steps, targeted), *types)
    smallest_margin = tf.constant(confidence, tf.float32)
    state = {"image": problem.images, "outer": adversarial.copy(), "goal": problem.goals}

    def run(image, outer, goal):
        return {"outer": search(image, outer, goal, smallest_margin)}

    advance(state, rows, problem.batch_size, run)
    return state["outer"]


def _make_search(steps: int, targeted: bool) -> Callable[[Any], Callable]:
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        def evaluate(x, goal, smallest_margin):
            logits = classifier.logits(x)
            rounding = ROUNDING * tf.reduce_max(tf.abs(logits), axis=1)
            margins = sign * margin(logits, goal) - smallest_margin
            return margins - 2 * rounding, margins > rounding

        def search(inner, outer, goal, smallest_margin):
            inner_margin = evaluate(inner, goal, smallest_margin)[0]
            outer_margin = evaluate(outer, goal, smallest_margin)[0]
            for _ in range(steps):
                share = tf.clip_by_value(tf.math.divide_no_nan(outer_margin, outer_margin - inner_margin), 0.0, 1.0)
                candidates = outer + threat.per_example(share, outer) * (inner - outer)
                value, hit = evaluate(candidates, goal, smallest_margin)
                hit_image = threat.per_example(hit, outer)
                outer, outer_margin = tf.where(hit_image, candidates, outer), tf.where(hit, value, outer_margin / 2)
                inner, inner_margin = tf.where(hit_image, inner, candidates), tf.where(hit, inner_margin, value)
            return outer

        return search

    return make
