"""HopSkipJump: from labels alone, the direction in which the boundary lies, and steps along it."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.decision import DecisionAttack, hit
from tfinv.attacks.fields import check_positive
from tfinv.attacks.problem import Problem
from tfinv.compiled import compiled
from tfinv.pool import State, advance

_TOGETHER = 8  # draws of one example in one call
_LONGEST = 20  # halvings of a step
_FIRST_SIZE = 0.1  # of the first draws, as a share of the bounds' width; the authors' code
_LEAST_SIZE = 1e-6  # of a draw in one pixel, as a share of the width: float32 holds nothing smaller well
_COARSEST, _FINEST = 1e-4, 1e-6  # tolerances of the bisection, as shares of the distance


@dataclasses.dataclass(frozen=True)
class HopSkipJump(DecisionAttack):
    """HopSkipJumpAttack (Chen et al. 2020).

    Each round estimates the gradient at a point of the boundary from the decisions at points around it, goes along it by a step
    that is halved until it is misclassified, and bisects back to the boundary.

    Attributes:
      evaluations: decisions in the first estimate of a direction; the t-th has sqrt(t) times as many.
    """

    NORMS = ("l2", "linf")

    evaluations: int = 100

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "evaluations")

    def walk(self, problem: Problem, state: State, limit: int) -> None:
        """Rounds until the queries are spent."""
        classifier, n = problem.classifier, len(problem.images)
        pixels = math.prod(classifier.input_shape)
        # theta = d^(-3/2), or d^-2 in L-inf (the paper).
        tolerance = min(max(pixels ** (-2.0 if self.norm == "linf" else -1.5), _FINEST), _COARSEST)
        halvings = math.ceil(-math.log2(tolerance))
        state |= {
            "direction": np.zeros_like(problem.images),
            "allowed": np.zeros(n, np.int64),
            "moved": np.zeros(n, bool),
        }
        for number in itertools.count(1):
            rows = self.unfinished(state, limit - halvings - 1)
            if not len(rows):
                break
            most = int(self.evaluations * math.sqrt(number))
            state["allowed"][rows] = np.minimum(most, limit - halvings - 1 - state["queries"][rows])
            self._point(problem, state, rows, number)
            self._step(problem, state, rows, number, limit - halvings)
            moved = rows[state["moved"][rows]]
            self.to_boundary(problem, state, moved, halvings)

    def _point(self, problem: Problem, state: State, rows: np.ndarray, number: int) -> None:
        """Sets `direction`: across the boundary, from `allowed` decisions."""
        classifier = problem.classifier
        low, high = classifier.bounds
        pixels = math.prod(classifier.input_shape)
        estimate = compiled(
            classifier,
            ("hopskipjump", self.targeted),
            _make_estimate(self.targeted),
            *("images", "changes", "numbers", "labels", "labels", "count", "numbers", "images", "images"),
        )
        together = min(_TOGETHER, problem.batch_size)
        least = _LEAST_SIZE * (high - low) * math.sqrt(pixels)

        def point(current, distance, goal, place, allowed, queries, **_):
            size = tf.maximum(distance / pixels, least)  # the paper's delta_t, which is distance / d in both norms
            if number == 1:
                size = tf.fill(tf.shape(distance), tf.constant(_FIRST_SIZE * (high - low), tf.float32))
            sums = (tf.zeros_like(distance), tf.zeros_like(current), tf.zeros_like(current))
            for begin in range(0, int(tf.reduce_max(allowed)), _TOGETHER):
                draws = self._draw(problem.seed, number * 2**20 + begin, place.numpy(), current.shape[1:])
                for i in range(0, _TOGETHER, together):
                    sums = estimate(current, draws[:, i : i + together], size, goal, allowed, begin + i, *sums)
            hits, moves, hit_moves = sums
            mean = threat.per_example(hits / tf.cast(allowed, tf.float32), current)
            # Where all decisions agree, they say nothing about each other (the authors' code).
            gradient = tf.where(tf.abs(mean) >= 1.0, mean * moves, hit_moves - mean * moves)
            return {"direction": threat.steepest(gradient, self.norm), "queries": queries + allowed}

        advance(state, rows, max(1, problem.batch_size // together), point)

    def _draw(self, seed, stream, places, shape):
        if self.norm == "linf":
            return 2 * random.uniform(seed, stream, places, (_TOGETHER, *shape)) - 1
        return random.normal(seed, stream, places, (_TOGETHER, *shape))

    def _step(self, problem: Problem, state: State, rows: np.ndarray, number: int, limit: int) -> None:
        """Moves along the direction by distance / sqrt(t), halved until it is misclassified; `moved` says where it was."""
        jump = compiled(
            problem.classifier,
            ("jump", self.targeted),
            _make_jump(self.targeted),
            *("images", "images", "numbers", "labels", "images", "flags", "labels", "count"),
        )

        def step(current, direction, distance, goal, queries, **_):
            size, ahead, moved = distance / math.sqrt(number), current, tf.zeros_like(distance, tf.bool)
            for _halving in range(_LONGEST):
                ahead, moved, queries = jump(current, direction, size, goal, ahead, moved, queries, limit)
                size /= 2
                if tf.reduce_all(moved):
                    break
            return {"current": ahead, "moved": moved, "queries": queries}

        advance(state, rows, problem.batch_size, step)


def _make_estimate(targeted: bool) -> Callable[[Any], Callable]:
    """Makes the sums of the decisions (1 or -1), of the moves, and of their products over some draws."""

    def make(classifier):
        low, high = classifier.bounds
        shape = classifier.input_shape

        def estimate(current, draws, size, goal, allowed, begin, hits, moves, hit_moves):
            count = tf.shape(draws)[1]
            size = size[:, None, None, None, None]
            unit = draws / tf.sqrt(tf.reduce_sum(tf.square(draws), axis=[2, 3, 4], keepdims=True))
            tried = tf.clip_by_value(current[:, None] + size * unit, low, high)
            flat = tf.ensure_shape(tf.reshape(tried, [-1, *shape]), [None, *shape])
            is_hit = tf.reshape(hit(classifier, flat, tf.repeat(goal, count), targeted), [-1, count])
            counts = tf.range(begin, begin + count)[None, :] < tf.cast(allowed, tf.int32)[:, None]
            signs = tf.where(is_hit, 1.0, -1.0) * tf.cast(counts, tf.float32)
            move = (tried - current[:, None]) / size * tf.abs(signs)[:, :, None, None, None]
            return (
                hits + tf.reduce_sum(signs, axis=1),
                moves + tf.reduce_sum(move, axis=1),
                hit_moves + tf.reduce_sum(signs[:, :, None, None, None] * move, axis=1),
            )

        return estimate

    return make


def _make_jump(targeted: bool) -> Callable[[Any], Callable]:
    """Makes one try of a step, for the examples that have not moved yet."""

    def make(classifier):
        def jump(current, direction, size, goal, ahead, moved, queries, limit):
            tried = tf.clip_by_value(current + threat.per_example(size, current) * direction, *classifier.bounds)
            asked = ~moved & (queries < tf.cast(limit, tf.int64))
            now = asked & hit(classifier, tried, goal, targeted)
            ahead = tf.where(threat.per_example(now, tried), tried, ahead)
            return ahead, moved | now, queries + tf.cast(asked, tf.int64)

        return jump

    return make
