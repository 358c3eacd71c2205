"""Square attack: random squares, kept where they raise the margin. It asks for scores, and never for a gradient."""

import bisect
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random
from tfinv.attacks.base import Attack
from tfinv.attacks.bumps import bump, grid_of_bumps
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import solved
from tfinv.compiled import compiled
from tfinv.pool import advance, phases

# The share of pixels is halved after these queries (the paper, and 500, which only the authors' code has), of 10,000.
_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)

_LOOK = 64  # queries between two looks at the host, at most


@dataclasses.dataclass(frozen=True)
class Square(Attack):
    """Square attack (Andriushchenko et al. 2020): random search over squares, on the margin.

    It starts at vertical stripes (L-inf) or at a grid of bumps (L2). Each query changes one square at a random place, and is
    kept if the margin rises. An example that is misclassified takes no more queries.

    Attributes:
      queries: predictions asked of one example, at most.
      p_init: share of the pixels in the first squares.
      rescale: whether the squares shrink faster or slower with fewer or more than 10,000 queries; AutoAttack's don't.
    """

    NEEDS = "scores"

    queries: int = 5000
    p_init: float = 0.8
    rescale: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "queries")
        check_number(self, "above 0, at most 1", lambda x: 0 < x <= 1, "p_init")

    def side(self, query: int, height: int, width: int) -> int:
        """The side of the square of a query, 1 for the first after the start."""
        halvings = bisect.bisect_left(_HALVED_AFTER, int(query / self.queries * 10_000) if self.rescale else query)
        side = round(math.sqrt(self.p_init / 2**halvings * height * width))
        most = max(1, min(height, width) - 1)
        if self.norm == "linf":
            return max(1, min(side, most))
        # Odd, so that a bump has a centre.
        return min(max(side, 3) // 2 * 2 + 1, (most - 1) // 2 * 2 + 1)

    def perturb(self, problem: Problem) -> Found:
        """One search with all queries."""
        classifier, n = problem.classifier, len(problem.images)
        height, width, channels = classifier.input_shape
        eps = tf.constant(self.radius(classifier), tf.float32)
        kind = (self.norm, self.targeted)
        score = compiled(classifier, ("square score", *kind), _make_score(self.targeted), "images", "labels")
        search = compiled(
            classifier,
            ("square", *kind),
            _make_search(*kind),
            *("images", "numbers", "flags", "labels", "images", "labels", "draws", "scalar", "count"),
        )
        state = {
            "best": problem.images.copy(),
            "score": np.zeros(n, np.float32),
            "done": np.zeros(n, bool),
            "queries": np.ones(n, np.int64),
            "image": problem.images,
            "goal": problem.goals,
            "place": problem.rows,
        }

        def begin(image, goal, place, **_):
            best = self._begin(image, place.numpy(), eps, problem)
            first, done = score(best, goal)
            return {"best": best, "score": first, "done": done}

        advance(state, np.arange(n), problem.batch_size, begin)
        asked = 1
        for phase, length in enumerate(phases(self.queries - 1, _LOOK)):
            rows = np.flatnonzero(~state["done"])
            if not len(rows):
                break
            sides = [self.side(query, height, width) for query in range(asked, asked + length)]
            stream = phase + 1

            def run(best, score, done, queries, image, goal, place, sides=sides, stream=stream):
                draws = random.uniform(problem.seed, stream, place.numpy(), (len(sides), 5 + channels))
                for draw, side in zip(tf.unstack(draws, axis=1), sides, strict=True):
                    best, score, done, queries = search(best, score, done, queries, image, goal, draw, eps, side)
                return {"best": best, "score": score, "done": done, "queries": queries}

            advance(state, rows, problem.batch_size, run)
            asked += length
        return Found(state["best"], queries=state["queries"])

    def _begin(self, image, places, eps, problem):
        """Stripes or a grid of bumps, cut to the bounds."""
        height, width, channels = problem.classifier.input_shape
        if self.norm == "linf":
            moved = _signs(random.uniform(problem.seed, 0, places, (1, width, channels)))
        else:
            moved = grid_of_bumps(problem.seed, places, height, width, channels)
        return tf.clip_by_value(image + eps * moved, *problem.classifier.bounds)


def _signs(uniform):
    return tf.where(uniform < 0.5, -1.0, 1.0)


def _make_score(targeted: bool) -> Callable[[Any], Callable]:
    """Makes (images, goals) -> (what is raised, whether it is solved)."""
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        def score(images, goals):
            logits = classifier.logits(images)
            return sign * margin(logits, goals), solved(logits, goals, targeted)

        return score

    return make


def _make_search(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Makes one query: a candidate, its score, and the better of it and the best so far."""

    def make(classifier):
        low, high = classifier.bounds
        height, width, channels = classifier.input_shape
        score_of = _make_score(targeted)(classifier)

        def places(draws, side):
            """Rows and columns counted from the corner of a random square, (b, H, 1) and (b, 1, W), and which are in it."""
            top = tf.cast(draws[:, 0] * tf.cast(height - side + 1, tf.float32), tf.int32)
            left = tf.cast(draws[:, 1] * tf.cast(width - side + 1, tf.float32), tf.int32)
            i = tf.range(height)[None, :, None] - top[:, None, None]
            j = tf.range(width)[None, None, :] - left[:, None, None]
            return i, j, (i >= 0) & (i < side) & (j >= 0) & (j < side)

        def square(best, image, draws, eps, side):
            """L-inf: all of the square moves to the edge of the ball, each channel to one of its two ends."""
            inside = places(draws, side)[2][..., None]
            return tf.where(inside, image + eps * _signs(draws[:, 5:])[:, None, None, :], best)

        def bumps(best, image, draws, eps, side):
            """L2: the norm in a second square, and what is left of the budget, go into a bump in the first one."""
            i, j, first = places(draws, side)
            second = places(draws[:, 2:], side)[2]
            upright = (draws[:, 4] < 0.5)[:, None, None]
            shape = bump(tf.where(upright, i, j), tf.where(upright, j, i), side, max(height, width))
            first, second, change = first[..., None], second[..., None], best - image
            size = tf.reduce_sum(tf.square(change), axis=[1, 2, 3], keepdims=True)
            here = tf.where(first, change, 0.0)
            old = tf.math.divide_no_nan(here, tf.sqrt(tf.reduce_sum(tf.square(here), axis=[1, 2, 3], keepdims=True)))
            new = shape[..., None] * _signs(draws[:, 5:])[:, None, None, :] + old
            new = tf.math.divide_no_nan(new, tf.sqrt(tf.reduce_sum(tf.square(new), axis=[1, 2], keepdims=True)))
            freed = tf.reduce_sum(tf.where(first | second, tf.square(change), 0.0), axis=[1, 2], keepdims=True)
            freed += tf.maximum(eps * eps - size, 0.0) / channels
            change = tf.where(first, new * tf.sqrt(freed), tf.where(second, 0.0, change))
            length = tf.sqrt(tf.reduce_sum(tf.square(change), axis=[1, 2, 3], keepdims=True))
            return image + eps * tf.math.divide_no_nan(change, length)

        candidate_of = square if norm == "linf" else bumps

        def search(best, score, done, queries, image, goal, draws, eps, side):
            candidate = tf.clip_by_value(candidate_of(best, image, draws, eps, side), low, high)
            new_score, now_done = score_of(candidate, goal)
            better = (new_score > score) & ~done
            best = tf.where(better[:, None, None, None], candidate, best)
            queries += tf.cast(~done, tf.int64)
            return best, tf.where(better, new_score, score), done | (now_done & better), queries

        return search

    return make
