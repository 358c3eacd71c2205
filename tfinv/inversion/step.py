"""One gradient step of a `Descent` on a batch of rows, compiled for a classifier, and the state that it updates."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.classifier import Classifier
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradient
from tfinv.inversion.optimisers import OPTIMISERS
from tfinv.pool import State

if TYPE_CHECKING:
    from tfinv.inversion.descent import Descent


@dataclasses.dataclass(frozen=True)
class History:
    """Costs and confidences on which a stop rule decides; all are tensors, (batch,) unless said otherwise.

    Attributes:
      cost: of the newest iterate.
      confidence: of the newest iterate.
      recent: (batch, window) the costs before it, as a ring buffer, so in no order; infinite where there were none.
      since_best: steps since the lowest cost last fell by more than the tolerance.
    """

    cost: tf.Tensor
    confidence: tf.Tensor
    recent: tf.Tensor
    since_best: tf.Tensor


def initial_state(method: "Descent", points: np.ndarray) -> State:
    """State of n rows before their first step, in the order in which the compiled step takes it.

    Args:
      method: the descent.
      points: (n, ...) where the rows start.

    Returns:
      `points`, the iterates; `best_points` and `best_cost`, of the iterate of the lowest cost; `reference_cost`, from which
      the cost must fall by more than the tolerance to count as improved; `since_best` and `recent`, see `History`; `active`,
      rows that have not stopped; `steps`, taken so far; and the optimiser's slots.
    """
    n = len(points)
    points = np.array(points, np.float32)
    state: State = {
        "points": points,
        "best_points": points.copy(),
        "best_cost": np.full(n, np.inf, np.float32),
        "reference_cost": np.full(n, np.inf, np.float32),
        "since_best": np.zeros(n, np.int32),
        "recent": np.full((n, method.window), np.inf, np.float32),
        "active": np.ones(n, bool),
        "steps": np.zeros(n, np.int32),
    }
    return state | {f"slot{k}": np.zeros_like(points) for k in range(OPTIMISERS[method.optimiser].slots)}


def compile_step(method: "Descent", classifier: Classifier, shape: tuple[int, ...]) -> Callable:
    """The step of a method, for points of one shape.

    Args:
      method: the descent.
      classifier: the victim.
      shape: of one point.

    Returns:
      A function of the arrays of `initial_state`, then the starts, the labels, the seed, and the number of the step from 0 on,
      that returns the new arrays by name.
    """
    points, recent = tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, method.window), tf.float32)
    slots = [points] * OPTIMISERS[method.optimiser].slots
    state = (points, points, "numbers", "numbers", "counts", recent, "flags", "counts", *slots)
    kind = (type(method).__name__, method.graph, shape)
    return compiled(classifier, kind, _make_step(method), *state, points, "labels", "count", "count")


def _make_step(method: "Descent"):
    window = method.window
    optimiser = OPTIMISERS[method.optimiser]

    def make(classifier):
        low, high = classifier.bounds

        def step(points, best_points, best_cost, reference_cost, since_best, recent, active, steps, *arguments):
            *slots, start, labels, seed, i = arguments

            def objective(points):
                images = method.decode(points, labels)
                view = method.view(images, tf.stack([seed, i]))
                model_images = tf.clip_by_value(low + view * (high - low), low, high)
                logits, penalty = method.logits_and_penalty(classifier, model_images)
                return method.cost(logits, labels, images, points) + penalty, logits

            (cost, logits), gradient = input_gradient(objective, points)
            is_lower = cost < best_cost
            if method.COUPLED:  # all rows keep the same iterate, that of the lowest mean cost
                is_lower = tf.fill(tf.shape(cost), tf.reduce_mean(cost) < tf.reduce_mean(best_cost))
            is_better = active & is_lower
            is_improved = cost < reference_cost - method.tolerance
            new = {
                "best_points": tf.where(threat.per_example(is_better, points), points, best_points),
                "best_cost": tf.where(is_better, cost, best_cost),
                "reference_cost": tf.where(is_improved, cost, reference_cost),
                "since_best": tf.where(is_improved, 0, since_best + 1),
            }
            confidence = tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)
            stops = method.stop(History(cost, confidence, recent, new["since_best"]))
            # The first cost is that of the start: a rule may not end a row before its first step.
            active = active & ~(stops & (i > 0))
            place = tf.one_hot(tf.math.floormod(i, window), window, on_value=True, off_value=False)
            change, slots = optimiser.update(method.transform_gradient(gradient), slots, method.rate, i + 1)
            moved = method.constrain(points + change, start, i + 1)
            return new | {
                "recent": tf.where(place[None], cost[:, None], recent),
                "active": active,
                "points": tf.where(threat.per_example(active, points), moved, points),
                "steps": steps + tf.cast(active, tf.int32),
                **{f"slot{k}": value for k, value in enumerate(slots)},
            }

        return step

    return make
