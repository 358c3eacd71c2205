"""Inversion by gradient steps: one compiled step for all families, with the best iterate kept and finished rows dropped."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv.compiled import compiled
from tfinv.errors import expected
from tfinv.inversion import views
from tfinv.inversion.base import Inversion, check_real, check_whole
from tfinv.inversion.losses import LOSSES
from tfinv.inversion.optimisers import OPTIMISERS
from tfinv.inversion.priors import PRIORS
from tfinv.inversion.problem import Course, Optimised, Problem
from tfinv.pool import State, advance, batches

# Steps between two looks at which rows have finished; between looks no value leaves the graph.
_LOOK_EVERY = 25


@dataclasses.dataclass(frozen=True)
class History:
    """What a stop rule may look at; all are tensors, (batch,) unless said otherwise.

    Attributes:
      cost: at the newest iterate.
      confidence: at the newest iterate.
      recent: (batch, window) the costs before it, a ring in no order, infinite where there were none.
      since_best: steps since the lowest cost last fell by more than the tolerance.
    """

    cost: tf.Tensor
    confidence: tf.Tensor
    recent: tf.Tensor
    since_best: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Descent(Inversion):
    """Base of the inversions that follow a gradient: loss, priors, views and optimiser as fields, the rest as hooks.

    Attributes:
      loss: key of `losses.LOSSES`.
      optimiser: key of `optimisers.OPTIMISERS`.
      rate: of the optimiser, on images in [0, 1].
      total_variation: weight of that prior; likewise `l2` and `alpha_norm`, see `priors`.
      jitter: the image is rolled by up to so many pixels before each gradient.
      flip: and mirrored every other time.
      patience: stop a row when its cost has not fallen by `tolerance` for so many steps; 0 never stops.
      tolerance: see patience.
      COUPLED: whether the cost of a row depends on the others of its batch.
    """

    COUPLED: ClassVar[bool] = False

    loss: str = "cross_entropy"
    optimiser: str = "steepest"
    rate: float = 0.1
    total_variation: float = 0.0
    l2: float = 0.0
    alpha_norm: float = 0.0
    jitter: int = 0
    flip: bool = False
    patience: int = 0
    tolerance: float = 1e-4

    def __post_init__(self):
        super().__post_init__()
        for name, known in (("loss", LOSSES), ("optimiser", OPTIMISERS)):
            if getattr(self, name) not in known:
                raise expected(
                    f"{name} among {', '.join(known)}", repr(getattr(self, name)), f"Change the argument `{name}`."
                )
        check_real(self, 0, "rate", above=True)
        check_real(self, 0, *PRIORS, "tolerance")
        check_whole(self, 0, "jitter", "patience")

    @property
    def until_convergence(self) -> bool:
        """Whether `patience` ends it."""
        return self.patience > 0

    @property
    def window(self) -> int:
        """How many earlier costs `stop` is shown."""
        return 1

    def cost(self, logits: tf.Tensor, labels: tf.Tensor, images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        """(b,) what is lowered: the loss and the priors of [0, 1] images."""
        total = LOSSES[self.loss](logits, labels)
        for name, prior in PRIORS.items():
            weight = getattr(self, name)
            if weight:
                total += weight * prior(images)
        return total

    def view(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) what the model is shown of [0, 1] images; the (2,) seed is another in each step, the same for all rows."""
        return views.jitter(images, self.jitter, self.flip, seed)

    def logits(self, classifier: Any, images: tf.Tensor) -> tf.Tensor:
        """(b, K) of images in the classifier's bounds."""
        return classifier.gradient_logits(images)

    def observe(self, classifier: Any, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | float]:
        """The logits, and what is added to the cost of every row for what the model does inside; by default nothing."""
        return self.logits(classifier, images), 0.0

    def improve(self, gradient: tf.Tensor) -> tf.Tensor:
        """What the optimiser is given for the cost's gradient by the points."""
        return gradient

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """The nearest points allowed; `count` is the number of the step, from 1 on."""
        return tf.clip_by_value(points, 0.0, 1.0)

    def stop(self, history: History) -> tf.Tensor:
        """(b,) bool: whether each row stops now."""
        if not self.patience:
            return tf.zeros_like(history.since_best, tf.bool)
        return history.since_best >= self.patience

    def optimise(self, problem: Problem, points: np.ndarray) -> Optimised:
        """All steps, in batches of at most `problem.batch_size` rows."""
        return descend(self, problem, points)


def descend(method: Descent, problem: Problem, points: np.ndarray) -> Optimised:
    """Runs a method's steps from given points.

    Args:
      method: the hooks.
      problem: n rows.
      points: (n, ...).

    Returns:
      Of each row the iterate of the lowest cost.
    """
    n, goals = len(points), problem.labels
    state = _begin(method, points)
    shape = points.shape[1:]
    spec, window = tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None, method.window), tf.float32)
    slots = [spec] * OPTIMISERS[method.optimiser].slots
    moving = (spec, spec, "numbers", "numbers", "counts", window, "flags", "counts", *slots)
    kind = (type(method).__name__, method.graph, shape)
    step = compiled(problem.classifier, kind, _make_step(method), *moving, spec, "labels", "count", "count")
    fixed = {"start": points.astype(np.float32), "goal": goals}
    course, seed = Recorder(method, problem), problem.seed % 2**31
    rows, done = np.arange(n), 0
    for length in _lengths(method.steps):

        def run(length=length, done=done, **values):
            for i in range(done, done + length):
                new = step(*values.values(), seed, i)
                values |= new
            return {name: values[name] for name in new if name in state}

        part = state | fixed
        advance(part, rows, problem.batch_size, run)
        done += length
        rows = rows[state["active"][rows]]
        course.look(min(done, method.steps), state)
        if not len(rows):
            break
    steps = np.minimum(state["taken"], method.steps)
    images = decode(method, problem, state["best"])
    return Optimised(
        images,
        state["best_cost"],
        steps,
        ~state["active"],
        np.zeros(n, np.int64),
        course.finished(),
        points=state["best"],
    )


def decode(method: Inversion, problem: Problem, points: np.ndarray) -> np.ndarray:
    """The method's images of n points, in batches, (n, H, W, C) in [0, 1]."""
    parts = batches(np.arange(len(points)), problem.batch_size)
    return np.concatenate(
        [method.decode(tf.constant(points[p]), tf.constant(problem.labels[p])).numpy() for p in parts]
    )


def _lengths(steps: int) -> Iterator[int]:
    """How many steps to take before each look; together one more than `steps`, since the last iterate's cost is unseen."""
    left = steps + 1
    while left:
        yield min(_LOOK_EVERY, left)
        left -= min(_LOOK_EVERY, left)


def _begin(method: Descent, points: np.ndarray) -> State:
    n = len(points)
    points = np.array(points, np.float32)
    state: State = {
        "points": points,
        "best": points.copy(),
        "best_cost": np.full(n, np.inf, np.float32),
        "settled": np.full(n, np.inf, np.float32),
        "since_best": np.zeros(n, np.int32),
        "recent": np.full((n, method.window), np.inf, np.float32),
        "active": np.ones(n, bool),
        "taken": np.zeros(n, np.int32),
    }
    return state | {f"slot{k}": np.zeros_like(points) for k in range(OPTIMISERS[method.optimiser].slots)}


def _make_step(method: Descent):
    window = method.window
    optimiser = OPTIMISERS[method.optimiser]

    def make(classifier):
        low, high = classifier.bounds

        def step(points, best, best_cost, settled, since_best, recent, active, taken, *more):
            *slots, start, goals, seed, i = more
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(points)
                images = method.decode(points, goals)
                seen = method.view(images, tf.stack([seed, i]))
                logits, penalty = method.observe(classifier, tf.clip_by_value(low + seen * (high - low), low, high))
                cost = method.cost(logits, goals, images, points) + penalty
                total = tf.reduce_sum(cost)
            gradient = tape.gradient(total, points)
            lower = cost < best_cost
            if method.COUPLED:  # rows that belong together are of one iterate
                lower = tf.fill(tf.shape(cost), tf.reduce_mean(cost) < tf.reduce_mean(best_cost))
            better = active & lower
            improved = cost < settled - method.tolerance
            new = {
                "best": tf.where(_wide(better, points), points, best),
                "best_cost": tf.where(better, cost, best_cost),
                "settled": tf.where(improved, cost, settled),
                "since_best": tf.where(improved, 0, since_best + 1),
            }
            confidence = tf.gather(tf.nn.softmax(logits), goals, batch_dims=1)
            stop = method.stop(History(cost, confidence, recent, new["since_best"]))
            # The first cost is the start's own: a rule may not end a row before its first step.
            active = active & ~(stop & (i > 0))
            slot = tf.one_hot(tf.math.floormod(i, window), window, on_value=True, off_value=False)
            change, slots = optimiser.update(method.improve(gradient), slots, method.rate, i + 1)
            moved = method.constrain(points + change, start, i + 1)
            return new | {
                "recent": tf.where(slot[None], cost[:, None], recent),
                "active": active,
                "points": tf.where(_wide(active, points), moved, points),
                "taken": taken + tf.cast(active, tf.int32),
                **{f"slot{k}": value for k, value in enumerate(slots)},
            }

        return step

    return make


class Recorder:
    """Keeps what a course shows, of a state with the arrays `best` (points) and `best_cost`."""

    def __init__(self, method: Inversion, problem: Problem):
        self._method, self._problem = method, problem
        self._looks: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def look(self, steps: int, state: State) -> None:
        """Notes how things stand after so many steps, if anything is to be recorded."""
        problem = self._problem
        if problem.record and steps not in self._looks:
            images = decode(self._method, problem, state["best"])
            self._looks[steps] = (state["best_cost"].copy(), problem.confidence(images), images[: problem.record])

    def finished(self) -> Course | None:
        """All looks; None if there were none."""
        if not self._looks:
            return None
        costs, confidences, images = (np.stack(parts) for parts in zip(*self._looks.values(), strict=True))
        return Course(np.array(list(self._looks)), costs, confidences, images)


def _wide(flags, like):
    return tf.reshape(flags, [-1] + [1] * (len(like.shape) - 1))
