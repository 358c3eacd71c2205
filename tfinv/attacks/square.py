"""Square attack: random search with square-shaped changes. It needs scores, but no gradients."""

import bisect
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random
from tfinv.attacks.base import Attack
from tfinv.attacks.bumps import bump, bump_grid
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import solved
from tfinv.classifier.compiled import compiled
from tfinv.pool import advance, nearest_rows, phases

# Queries, of 10,000, after which the share of pixels is halved (the paper; 500 is only in the authors' code).
_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)

_CHECK_INTERVAL = 64  # largest number of queries between two checks on the host


@dataclasses.dataclass(frozen=True)
class Square(Attack):
    """Square attack (Andriushchenko et al. 2020): random search over squares, on the margin.

    It starts from vertical stripes (L-inf) or a grid of bumps (L2). Each query changes one square at a random position, and the
    change is kept if the margin increases. A misclassified example takes no more queries.

    Attributes:
      queries: largest number of predictions for one example.
      p_init: share of the pixels in the first squares.
      rescale: scale the schedule of the square sizes, which is for 10,000 queries, to `queries`. AutoAttack does not.
      nearest: give up on what is far from success as the search goes on; see `pool.nearest_rows`.
    """

    NEEDS = "scores"

    queries: int = 5000
    p_init: float = 0.8
    rescale: bool = True
    nearest: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "queries")
        check_number(self, "above 0, at most 1", lambda x: 0 < x <= 1, "p_init")

    def side(self, query: int, height: int, width: int) -> int:
        """Returns the side of the square of a query; query 1 is the first after the start."""
        halvings = bisect.bisect_left(_HALVED_AFTER, int(query / self.queries * 10_000) if self.rescale else query)
        side = round(math.sqrt(self.p_init / 2**halvings * height * width))
        largest = max(1, min(height, width) - 1)
        if self.norm == "linf":
            return max(1, min(side, largest))
        # Odd, so that a bump has a centre pixel.
        return min(max(side, 3) // 2 * 2 + 1, (largest - 1) // 2 * 2 + 1)

    def perturb(self, problem: Problem) -> StageResult:
        """Runs the search with all queries."""
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
            "row": problem.rows,
        }

        def initialise(image, goal, row, **_):
            best = self._initial_images(image, row.numpy(), eps, problem)
            best_score, done = score(best, goal)
            return {"best": best, "score": best_score, "done": done}

        advance(state, np.arange(n), problem.batch_size, initialise)
        first, rows = 1, np.arange(n)
        for phase, length in enumerate(phases(self.queries - 1, _CHECK_INTERVAL)):
            rows = rows[~state["done"][rows]]
            if not len(rows):
                break
            sides = [self.side(query, height, width) for query in range(first, first + length)]
            stream = phase + 1

            def run(best, score, done, queries, image, goal, row, sides=sides, stream=stream):
                draws = random.uniform(problem.seed, stream, row.numpy(), (len(sides), 5 + channels))
                for draw, side in zip(tf.unstack(draws, axis=1), sides, strict=True):
                    best, score, done, queries = search(best, score, done, queries, image, goal, draw, eps, side)
                return {"best": best, "score": score, "done": done, "queries": queries}

            advance(state, rows, problem.batch_size, run)
            if self.nearest:
                rows = rows[~state["done"][rows]]
                rows = nearest_rows(rows, state["score"], first, first + length, self.queries)
            first += length
        return StageResult(state["best"], queries=state["queries"])

    def _initial_images(self, image, rows, eps, problem):
        """Returns the images with stripes or a grid of bumps, clipped to the bounds."""
        height, width, channels = problem.classifier.input_shape
        if self.norm == "linf":
            direction = _signs(random.uniform(problem.seed, 0, rows, (1, width, channels)))
        else:
            direction = bump_grid(problem.seed, rows, height, width, channels)
        return tf.clip_by_value(image + eps * direction, *problem.classifier.bounds)


def _signs(uniform):
    return tf.where(uniform < 0.5, -1.0, 1.0)


def _make_score(targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> function of (images, goals) to (scores, whether they are solved)."""
    sign = -1.0 if targeted else 1.0

    def make(classifier):
        def score(images, goals):
            logits = classifier.logits(images)
            return sign * margin(logits, goals), solved(logits, goals, targeted)

        return score

    return make


def _make_search(norm: str, targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> one query, which replaces the best image by a random candidate of higher score."""

    def make(classifier):
        low, high = classifier.bounds
        height, width, channels = classifier.input_shape
        score_of = _make_score(targeted)(classifier)

        def random_square(draws, side):
            """Returns rows, (b, H, 1), and columns, (b, 1, W), relative to a random square's corner, and the mask of the square."""
            top = tf.cast(draws[:, 0] * tf.cast(height - side + 1, tf.float32), tf.int32)
            left = tf.cast(draws[:, 1] * tf.cast(width - side + 1, tf.float32), tf.int32)
            i = tf.range(height)[None, :, None] - top[:, None, None]
            j = tf.range(width)[None, None, :] - left[:, None, None]
            return i, j, (i >= 0) & (i < side) & (j >= 0) & (j < side)

        def square(best, image, draws, eps, side):
            """L-inf: sets the perturbation of the square to eps or -eps, with a random sign per channel."""
            inside = random_square(draws, side)[2][..., None]
            return tf.where(inside, image + eps * _signs(draws[:, 5:])[:, None, None, :], best)

        def bumps(best, image, draws, eps, side):
            """L2: moves the norm of a second square, and the unused budget, to a bump in the first square."""
            i, j, first = random_square(draws, side)
            second = random_square(draws[:, 2:], side)[2]
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
            candidate_score, candidate_done = score_of(candidate, goal)
            better = (candidate_score > score) & ~done
            best = tf.where(better[:, None, None, None], candidate, best)
            queries += tf.cast(~done, tf.int64)
            return best, tf.where(better, candidate_score, score), done | (candidate_done & better), queries

        return search

    return make
