"""Inversion by gradient steps: the loss, the priors and the hooks of a family, and the loop that drops rows that have stopped."""

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv.errors import expected
from tfinv.inversion import views
from tfinv.inversion.base import Inversion, check_real, check_whole
from tfinv.inversion.losses import LOSSES
from tfinv.inversion.optimisers import OPTIMISERS
from tfinv.inversion.priors import PRIORS
from tfinv.inversion.problem import Problem, Reconstructions
from tfinv.inversion.recorder import Recorder
from tfinv.inversion.step import History, compile_step, initial_state
from tfinv.pool import advance

# Steps between two checks for rows that have stopped; between checks no value leaves the device.
_CHECK_EVERY = 25


@dataclasses.dataclass(frozen=True)
class Descent(Inversion):
    """Base of the inversions that follow a gradient: loss, priors, views and optimiser are fields, the rest are hooks.

    Attributes:
      loss: key of `losses.LOSSES`.
      optimiser: key of `optimisers.OPTIMISERS`.
      rate: learning rate of the optimiser, on images in [0, 1].
      total_variation: weight of that prior; likewise `l2` and `alpha_norm`, see `priors`.
      jitter: the image is rolled by up to so many pixels before each gradient.
      flip: whether the image is also mirrored in half of the steps.
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
        for name, registry in (("loss", LOSSES), ("optimiser", OPTIMISERS)):
            if getattr(self, name) not in registry:
                raise expected(
                    f"{name} among {', '.join(registry)}", repr(getattr(self, name)), f"Change the argument `{name}`."
                )
        check_real(self, 0, "rate", above=True)
        check_real(self, 0, *PRIORS, "tolerance")
        check_whole(self, 0, "jitter", "patience")

    @property
    def until_convergence(self) -> bool:
        """Whether `patience` stops rows."""
        return self.patience > 0

    @property
    def window(self) -> int:
        """Number of earlier costs in the `History` of `stop`."""
        return 1

    def cost(self, logits: tf.Tensor, labels: tf.Tensor, images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        """(b,) the objective to minimise: the loss, and the weighted priors of [0, 1] images."""
        total = LOSSES[self.loss](logits, labels)
        for name, prior in PRIORS.items():
            weight = getattr(self, name)
            if weight:
                total += weight * prior(images)
        return total

    def view(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) a random view of [0, 1] images for the model; the (2,) seed differs by step, not by row."""
        return views.jitter(images, self.jitter, self.flip, seed)

    def logits_and_penalty(self, classifier: Any, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | float]:
        """(b, K) logits of images in the classifier's bounds, and a penalty on the activations, added to each row's cost."""
        return classifier.gradient_logits(images), 0.0

    def transform_gradient(self, gradient: tf.Tensor) -> tf.Tensor:
        """The gradient for the optimiser, made of that of the cost with respect to the points."""
        return gradient

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """The nearest points allowed; `count` is the number of the step, from 1 on."""
        return tf.clip_by_value(points, 0.0, 1.0)

    def stop(self, history: History) -> tf.Tensor:
        """(b,) bool: whether each row stops now."""
        if not self.patience:
            return tf.zeros_like(history.since_best, tf.bool)
        return history.since_best >= self.patience

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Takes all steps in batches, and returns each row's iterate of the lowest cost."""
        n = len(points)
        state = initial_state(self, points)
        constants = {"start": points.astype(np.float32), "labels": problem.labels}
        step = compile_step(self, problem.classifier, points.shape[1:])
        recorder, seed = Recorder(self, problem), problem.seed % 2**31
        rows, done = np.arange(n), 0
        for count in _step_counts(self.steps):

            def run(count=count, done=done, **arrays):
                for i in range(done, done + count):
                    new = step(*arrays.values(), seed, i)
                    arrays |= new
                return new

            advance(state | constants, rows, problem.batch_size, run)
            done += count
            rows = rows[state["active"][rows]]
            recorder.record(min(done, self.steps), state)
            if not len(rows):
                break
        return Reconstructions(
            self.decode_in_batches(problem, state["best_points"]),
            state["best_cost"],
            np.minimum(state["steps"], self.steps),
            ~state["active"],
            np.zeros(n, np.int64),
            recorder.course(),
            points=state["best_points"],
        )


def _step_counts(steps: int) -> Iterator[int]:
    """Steps to take before each check, one more than `steps` in all, since the cost of the last iterate is evaluated by another."""
    left = steps + 1
    while left:
        yield min(_CHECK_EVERY, left)
        left -= min(_CHECK_EVERY, left)
