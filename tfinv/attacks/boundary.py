"""Boundary attack: a random walk along the boundary, towards the image."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.decision import DecisionAttack, hit
from tfinv.attacks.fields import check_positive
from tfinv.attacks.problem import Problem
from tfinv.compiled import compiled
from tfinv.pool import State, advance, phases

_TOGETHER = 8  # steps drawn in one call
_CHECK = 5  # steps from one look at both candidates to the next
_WINDOW = 5  # looks before a step size is changed
_STREAM = 2**20  # of the draws, apart from those of the start


@dataclasses.dataclass(frozen=True)
class Boundary(DecisionAttack):
    """Boundary attack (Brendel et al. 2018, "Decision-based adversarial attacks").

    Each step goes along the sphere around the image in a random direction, then towards the image; it is taken if it is
    misclassified. Both sizes are relative to the distance. Every fifth step also asks about the point on the sphere: its rate
    of success is kept near a half by the size of the whole step, and that of the move towards the image near a quarter by its
    own size.

    Attributes:
      sphere_step: along the sphere, at first.
      source_step: towards the image, at first.
      adaptation: factor by which a step is changed.
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
        """Steps until the queries are spent or the steps are too small."""
        arguments = ("images", "images", "labels", "images", "numbers", "numbers", "draws", "labels", "count", "scalar")
        looking, going = (
            compiled(problem.classifier, ("boundary", self.targeted, look), _make_step(self.targeted, look), *arguments)
            for look in (True, False)
        )
        n, shape = len(problem.images), problem.classifier.input_shape
        state |= {
            "source": np.full(n, self.source_step, np.float32),
            "sphere": np.full(n, self.sphere_step, np.float32),
            "tally": np.zeros((n, 4), np.float32),
        }
        done = 0
        for length in phases(self.queries, 4):
            rows = self.unfinished(state, limit - 1)
            rows = rows[state["source"][rows] >= self.convergence]
            if not len(rows):
                break

            def run(current, image, goal, place, source, sphere, tally, queries, done=done, length=length, **_):
                for block in range(done, done + length):
                    noise = random.normal(problem.seed, _STREAM + block, place.numpy(), (_TOGETHER, *shape))
                    for i, drawn in enumerate(tf.unstack(noise, axis=1)):
                        step = going if (block * _TOGETHER + i) % _CHECK else looking
                        current, source, sphere, tally, queries = step(
                            current, image, goal, drawn, source, sphere, tally, queries, limit, self.adaptation
                        )
                return {"current": current, "source": source, "sphere": sphere, "tally": tally, "queries": queries}

            advance(state, rows, problem.batch_size, run)
            self.keep(state, rows)
            done += length


def _make_step(targeted: bool, look: bool) -> Callable[[Any], Callable]:
    """Makes one step; `look` also asks about the point on the sphere and changes the sizes."""

    def make(classifier):
        low, high = classifier.bounds

        def step(current, image, goal, noise, source, sphere, tally, queries, limit, adaptation):
            away = image - current
            distance = _length(away)
            unit = tf.math.divide_no_nan(away, distance)
            along = noise - unit * tf.reduce_sum(noise * unit, axis=[1, 2, 3], keepdims=True)
            reach = threat.per_example(sphere, image)
            along *= tf.math.divide_no_nan(reach * distance, _length(along))
            on_sphere = tf.clip_by_value(image + (along - away) / tf.sqrt(1.0 + tf.square(reach)), low, high)
            back = image - on_sphere
            left = _length(back)
            # Cutting to the bounds moves the point off the sphere, which the step towards the image makes good.
            forward = tf.maximum(0.0, threat.per_example(source, image) * distance + left - distance)
            share = tf.minimum(1.0, tf.math.divide_no_nan(forward, left))
            nearer = tf.clip_by_value(on_sphere + share * back, low, high)
            asked = queries + 2 <= tf.cast(limit, tf.int64)
            if look:
                both = hit(classifier, tf.concat([on_sphere, nearer], 0), tf.concat([goal, goal], 0), targeted)
                sphere_hit, is_hit = tf.split(both, 2)
                new = tf.cast(tf.stack([asked, sphere_hit, sphere_hit, sphere_hit & is_hit], 1), tf.float32)
                tally += tf.where(asked[:, None], new, 0.0)
                source, sphere, tally = _adapt(source, sphere, tally, adaptation)
            else:
                is_hit = hit(classifier, nearer, goal, targeted)
            taken = asked & is_hit & (_length(image - nearer) < distance)[:, 0, 0, 0]
            current = tf.where(threat.per_example(taken, image), nearer, current)
            return current, source, sphere, tally, queries + tf.cast(asked, tf.int64) * (2 if look else 1)

        return step

    return make


def _adapt(source, sphere, tally, adaptation):
    """Changes the sizes of the examples whose window is full, and empties that window."""
    sphere_tried, sphere_hit, source_tried, source_hit = tf.unstack(tally, axis=1)
    whole = _change(sphere_tried, sphere_hit, 0.2, 0.5, adaptation)
    own = _change(source_tried, source_hit, 0.1, 0.25, adaptation)
    sphere_full, source_full = sphere_tried >= _WINDOW, source_tried >= _WINDOW
    full = tf.stack([sphere_full, sphere_full, source_full, source_full], 1)
    return source * whole * own, sphere * whole, tf.where(full, 0.0, tally)


def _change(tried, hits, least, most, adaptation):
    rate, full = tf.math.divide_no_nan(hits, tried), tried >= _WINDOW
    factor = tf.where(rate > most, adaptation, tf.where(rate < least, 1.0 / adaptation, 1.0))
    return tf.where(full, factor, 1.0)


def _length(x):
    return tf.sqrt(tf.reduce_sum(tf.square(x), axis=[1, 2, 3], keepdims=True))
