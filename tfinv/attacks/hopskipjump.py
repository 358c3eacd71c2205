"""HopSkipJump attack: steps along gradients at the decision boundary that are estimated from labels only."""

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
from tfinv.classifier.compiled import compiled
from tfinv.pool import State, advance

_BLOCK = 8  # draws of one example in one call
_MAX_HALVINGS = 20  # largest number of halvings of a step
_FIRST_SIZE = 0.1  # of the first draws, as a share of the bounds' width; the authors' code
_SMALLEST_SIZE = 1e-6  # of a draw in one pixel, as a share of the width: smaller ones are lost in float32
_COARSEST, _FINEST = 1e-4, 1e-6  # limits of the tolerance of the bisection, as shares of the distance


@dataclasses.dataclass(frozen=True)
class HopSkipJump(DecisionAttack):
    """HopSkipJumpAttack (Chen et al. 2020).

    Each round estimates the gradient at a point of the boundary from the labels of points around it, takes a step along it that
    is halved until the result is misclassified, and bisects back to the boundary.

    Attributes:
      evaluations: labels used by the first estimate of a gradient; the t-th uses sqrt(t) times as many.
    """

    NORMS = ("l2", "linf")

    evaluations: int = 100

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "evaluations")

    def walk(self, problem: Problem, state: State, limit: int) -> None:
        """Runs rounds until the queries are used up."""
        classifier, n = problem.classifier, len(problem.images)
        pixels = math.prod(classifier.input_shape)
        # theta = d^(-3/2), or d^-2 in L-inf (the paper).
        tolerance = min(max(pixels ** (-2.0 if self.norm == "linf" else -1.5), _FINEST), _COARSEST)
        halvings = math.ceil(-math.log2(tolerance))
        state |= {
            "direction": np.zeros_like(problem.images),
            "evaluations": np.zeros(n, np.int64),
            "moved": np.zeros(n, bool),
        }
        for number in itertools.count(1):
            rows = self.active_rows(state, limit - halvings - 1)
            if not len(rows):
                break
            evaluations = int(self.evaluations * math.sqrt(number))
            state["evaluations"][rows] = np.minimum(evaluations, limit - halvings - 1 - state["queries"][rows])
            self._estimate_direction(problem, state, rows, number)
            self._jump(problem, state, rows, number, limit - halvings)
            moved = rows[state["moved"][rows]]
            self.bisect(problem, state, moved, halvings)

    def _estimate_direction(self, problem: Problem, state: State, rows: np.ndarray, number: int) -> None:
        """Sets `direction` to the estimated gradient direction at the boundary, from `evaluations` labels of each example."""
        classifier = problem.classifier
        low, high = classifier.bounds
        pixels = math.prod(classifier.input_shape)
        estimate = compiled(
            classifier,
            ("hopskipjump", self.targeted),
            _make_estimate(self.targeted),
            *("images", "changes", "numbers", "labels", "labels", "count", "numbers", "images", "images"),
        )
        count = min(_BLOCK, problem.batch_size)
        smallest = _SMALLEST_SIZE * (high - low) * math.sqrt(pixels)

        def run(current, distance, goal, row, evaluations, queries, **_):
            size = tf.maximum(distance / pixels, smallest)  # the paper's delta_t, which is distance / d in both norms
            if number == 1:
                size = tf.fill(tf.shape(distance), tf.constant(_FIRST_SIZE * (high - low), tf.float32))
            sums = (tf.zeros_like(distance), tf.zeros_like(current), tf.zeros_like(current))
            for start in range(0, int(tf.reduce_max(evaluations)), _BLOCK):
                draws = self._draw(problem.seed, number * 2**20 + start, row.numpy(), current.shape[1:])
                for i in range(0, _BLOCK, count):
                    sums = estimate(current, draws[:, i : i + count], size, goal, evaluations, start + i, *sums)
            hits, moves, hit_moves = sums
            mean = threat.per_example(hits / tf.cast(evaluations, tf.float32), current)
            # Where all labels agree, subtracting the mean would leave nothing (the authors' code).
            gradient = tf.where(tf.abs(mean) >= 1.0, mean * moves, hit_moves - mean * moves)
            return {"direction": threat.steepest(gradient, self.norm), "queries": queries + evaluations}

        advance(state, rows, max(1, problem.batch_size // count), run)

    def _draw(self, seed, stream, rows, shape):
        if self.norm == "linf":
            return 2 * random.uniform(seed, stream, rows, (_BLOCK, *shape)) - 1
        return random.normal(seed, stream, rows, (_BLOCK, *shape))

    def _jump(self, problem: Problem, state: State, rows: np.ndarray, number: int, limit: int) -> None:
        """Moves along the direction by distance / sqrt(t), halved until the result is misclassified; sets `moved` where it was."""
        jump = compiled(
            problem.classifier,
            ("jump", self.targeted),
            _make_jump(self.targeted),
            *("images", "images", "numbers", "labels", "images", "flags", "labels", "count"),
        )

        def run(current, direction, distance, goal, queries, **_):
            size, point, moved = distance / math.sqrt(number), current, tf.zeros_like(distance, tf.bool)
            for _halving in range(_MAX_HALVINGS):
                point, moved, queries = jump(current, direction, size, goal, point, moved, queries, limit)
                size /= 2
                if tf.reduce_all(moved):
                    break
            return {"current": point, "moved": moved, "queries": queries}

        advance(state, rows, problem.batch_size, run)


def _make_estimate(targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> sums, over some draws, of the labels (1 or -1), the moves, and their products."""

    def make(classifier):
        low, high = classifier.bounds
        shape = classifier.input_shape

        def estimate(current, draws, size, goal, evaluations, start, hits, moves, hit_moves):
            count = tf.shape(draws)[1]
            size = size[:, None, None, None, None]
            unit = draws / tf.sqrt(tf.reduce_sum(tf.square(draws), axis=[2, 3, 4], keepdims=True))
            candidates = tf.clip_by_value(current[:, None] + size * unit, low, high)
            flat = tf.ensure_shape(tf.reshape(candidates, [-1, *shape]), [None, *shape])
            is_hit = tf.reshape(hit(classifier, flat, tf.repeat(goal, count), targeted), [-1, count])
            active = tf.range(start, start + count)[None, :] < tf.cast(evaluations, tf.int32)[:, None]
            signs = tf.where(is_hit, 1.0, -1.0) * tf.cast(active, tf.float32)
            move = (candidates - current[:, None]) / size * tf.abs(signs)[:, :, None, None, None]
            return (
                hits + tf.reduce_sum(signs, axis=1),
                moves + tf.reduce_sum(move, axis=1),
                hit_moves + tf.reduce_sum(signs[:, :, None, None, None] * move, axis=1),
            )

        return estimate

    return make


def _make_jump(targeted: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> one attempt of a step, for the examples that have not moved yet."""

    def make(classifier):
        def jump(current, direction, size, goal, point, moved, queries, limit):
            candidates = tf.clip_by_value(current + threat.per_example(size, current) * direction, *classifier.bounds)
            active = ~moved & (queries < tf.cast(limit, tf.int64))
            accepted = active & hit(classifier, candidates, goal, targeted)
            point = tf.where(threat.per_example(accepted, candidates), candidates, point)
            return point, moved | accepted, queries + tf.cast(active, tf.int64)

        return jump

    return make
