"""Boundary attack: a random walk along the decision boundary towards the image."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.decision import DecisionAttack, hit
from tfinv.attacks.fields import check_positive
from tfinv.attacks.problem import Problem
from tfinv.classifier.compiled import compiled
from tfinv.pool import State, advance, phases

_BLOCK = 8  # steps whose noise is drawn in one call
_CHECK_INTERVAL = 5  # steps between two checks of both candidates
_WINDOW = 5  # checks before a step size changes
_STREAM = 2**20  # first stream of the random draws, beyond those of the start


@dataclasses.dataclass(frozen=True)
class Boundary(DecisionAttack):
    """Boundary attack (Brendel et al. 2018, "Decision-based adversarial attacks").

    Each step moves along the sphere around the image in a random direction, then towards the image; it is accepted if the result
    is misclassified. Both step sizes are relative to the distance. Every fifth step also queries the point on the sphere. Scaling
    both sizes keeps the success rate of that point near a half; scaling source_step keeps that of the move towards the image
    near a quarter.

    Attributes:
      sphere_step: initial step along the sphere.
      source_step: initial step towards the image.
      adaptation: factor by which a step size changes.
      convergence: the attack ends when source_step falls below it.
    """

    sphere_step: float = 0.01
    source_step: float = 0.01
    adaptation: float = 1.5
    convergence: float = 1e-7

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "sphere_step", "source_step", "adaptation", "convergence")

    def walk(self, problem: Problem, state: State, limit: int) -> None:
        """Takes steps until the queries are used up or the steps are too small."""
        types = ("images", "images", "labels", "images", "numbers", "numbers", "draws", "labels", "count", "scalar")
        check_step, plain_step = (
            compiled(problem.classifier, ("boundary", self.targeted, check), _make_step(self.targeted, check), *types)
            for check in (True, False)
        )
        n, shape = len(problem.images), problem.classifier.input_shape
        state |= {
            "source": np.full(n, self.source_step, np.float32),
            "sphere": np.full(n, self.sphere_step, np.float32),
            "tally": np.zeros((n, 4), np.float32),
        }
        done = 0
        for length in phases(self.queries, 4):
            rows = self.active_rows(state, limit - 1)
            rows = rows[state["source"][rows] >= self.convergence]
            if not len(rows):
                break

            def run(current, image, goal, row, source, sphere, tally, queries, done=done, length=length, **_):
                for block in range(done, done + length):
                    noise = random.normal(problem.seed, _STREAM + block, row.numpy(), (_BLOCK, *shape))
                    for i, direction in enumerate(tf.unstack(noise, axis=1)):
                        step = plain_step if (block * _BLOCK + i) % _CHECK_INTERVAL else check_step
                        current, source, sphere, tally, queries = step(
                            current, image, goal, direction, source, sphere, tally, queries, limit, self.adaptation
                        )
                return {"current": current, "source": source, "sphere": sphere, "tally": tally, "queries": queries}

            advance(state, rows, problem.batch_size, run)
            self.update_best(state, rows)
            done += length


def _make_step(targeted: bool, check: bool) -> Callable[[Any], Callable]:
    """Returns a factory: classifier -> step; `check` also queries the point on the sphere and adapts the step sizes."""

    def make(classifier):
        low, high = classifier.bounds

        def step(current, image, goal, noise, source, sphere, tally, queries, limit, adaptation):
            to_image = image - current
            distance = _length(to_image)
            unit = tf.math.divide_no_nan(to_image, distance)
            along = noise - unit * tf.reduce_sum(noise * unit, axis=[1, 2, 3], keepdims=True)
            sphere_size = threat.per_example(sphere, image)
            along *= tf.math.divide_no_nan(sphere_size * distance, _length(along))
            on_sphere = tf.clip_by_value(image + (along - to_image) / tf.sqrt(1.0 + tf.square(sphere_size)), low, high)
            rest = image - on_sphere
            rest_length = _length(rest)
            # Clipping to the bounds moves the point off the sphere; the step towards the image compensates for it.
            forward = tf.maximum(0.0, threat.per_example(source, image) * distance + rest_length - distance)
            share = tf.minimum(1.0, tf.math.divide_no_nan(forward, rest_length))
            nearer = tf.clip_by_value(on_sphere + share * rest, low, high)
            active = queries + 2 <= tf.cast(limit, tf.int64)
            if check:
                both = hit(classifier, tf.concat([on_sphere, nearer], 0), tf.concat([goal, goal], 0), targeted)
                sphere_hit, is_hit = tf.split(both, 2)
                counts = tf.cast(tf.stack([active, sphere_hit, sphere_hit, sphere_hit & is_hit], 1), tf.float32)
                tally += tf.where(active[:, None], counts, 0.0)
                source, sphere, tally = _adapt(source, sphere, tally, adaptation)
            else:
                is_hit = hit(classifier, nearer, goal, targeted)
            accepted = active & is_hit & (_length(image - nearer) < distance)[:, 0, 0, 0]
            current = tf.where(threat.per_example(accepted, image), nearer, current)
            return current, source, sphere, tally, queries + tf.cast(active, tf.int64) * (2 if check else 1)

        return step

    return make


def _adapt(source, sphere, tally, adaptation):
    """Adapts the step sizes of the examples whose window is full, and empties that window."""
    sphere_trials, sphere_hit, source_trials, source_hit = tf.unstack(tally, axis=1)
    sphere_factor = _factor(sphere_trials, sphere_hit, 0.2, 0.5, adaptation)
    source_factor = _factor(source_trials, source_hit, 0.1, 0.25, adaptation)
    sphere_full, source_full = sphere_trials >= _WINDOW, source_trials >= _WINDOW
    full = tf.stack([sphere_full, sphere_full, source_full, source_full], 1)
    return source * sphere_factor * source_factor, sphere * sphere_factor, tf.where(full, 0.0, tally)


def _factor(trials, hits, lowest_rate, highest_rate, adaptation):
    rate, full = tf.math.divide_no_nan(hits, trials), trials >= _WINDOW
    factor = tf.where(rate > highest_rate, adaptation, tf.where(rate < lowest_rate, 1.0 / adaptation, 1.0))
    return tf.where(full, factor, 1.0)


def _length(x):
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=[1, 2, 3], keepdims=True))
