"""Base class of the gradient attacks: the loop over steps that FGSM, PGD and the momentum attacks share."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.losses import LOSSES
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import StepOptions, limits, make_step, solved
from tfinv.classifier.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import State, advance, phases


@dataclasses.dataclass(frozen=True)
class GradientAttack(Attack):
    """Base of the attacks that follow a gradient.

    A family defines `initial_images`, `sizes`, and the options of its step. A misclassified example stays where it is and leaves
    the batch at the next check. Where gradients are computed in half precision, or at another image than the current one, the
    float32 classifier verifies the success first.

    Attributes:
      loss: the loss to maximise, a key of `LOSSES`.
      early_stop: stop at the first misclassified image of an example; otherwise all steps are taken, which helps an example to
        fool other models too.
    """

    loss: str = "soft_margin"
    early_stop: bool = True

    def __post_init__(self):
        super().__post_init__()
        if self.loss not in LOSSES:
            raise expected(f"a loss among {', '.join(LOSSES)}", repr(self.loss), "Change the argument `loss`.")

    def with_loss(self, loss: str) -> "GradientAttack":
        """Returns the same attack with another loss, a key of `LOSSES`."""
        return dataclasses.replace(self, loss=loss)

    @property
    def step_options(self) -> StepOptions:
        """Options of the compiled step."""
        return StepOptions(self.norm, self.loss, self.targeted)

    def sizes(self, radius: float) -> np.ndarray:
        """Returns the step sizes for a radius, (steps,)."""
        raise NotImplementedError

    def initial_images(self, problem: Problem, radius: float) -> np.ndarray:
        """Returns the images to start from, (n, H, W, C)."""
        return problem.images

    def step_arguments(self, problem: Problem) -> Iterator[tuple[Any, ...]]:
        """Yields the further arguments of each step, after the velocity and its decay."""
        while True:
            yield ()

    def perturb(self, problem: Problem) -> StageResult:
        """Takes all steps from one start."""
        classifier, options, n = problem.classifier, self.step_options, len(problem.images)
        step = compiled(classifier, options, make_step(options), *options.arguments)
        radius = self.radius(classifier)
        eps, sizes = tf.constant(radius, tf.float32), self.sizes(radius).astype(np.float32)
        warm = problem.start is not None and not problem.round
        initial = problem.start if warm else self.initial_images(problem, radius)
        state = {
            "current": np.array(initial, np.float32),
            "image": problem.images,
            "goal": problem.goals,
            "may_stop": np.full(n, self.early_stop),
            "solved": np.zeros(n, bool),
            "zero": np.zeros(n, bool),
        }
        if options.momentum:
            state["velocity"] = np.zeros_like(problem.images)
        verified = classifier.exact_gradients and not options.diverse
        calls, rows, done = np.zeros(n, np.int64), np.arange(n), 0
        step_arguments = self.step_arguments(problem)
        for length in phases(len(sizes)):
            steps = [(done + i, sizes[done + i], next(step_arguments)) for i in range(length)]

            def run(current, image, goal, may_stop, steps=steps, velocity=None, **_):
                updates: dict[str, tf.Tensor] = {}
                lower, upper = limits(image, eps, classifier.bounds, self.norm)
                for number, size, arguments in steps:
                    momentum = () if velocity is None else (velocity, self.decay)  # type: ignore[attr-defined]
                    new = step(current, lower, upper, goal, may_stop, eps, size, number == 0, *momentum, *arguments)
                    current, velocity = new["current"], new.get("velocity")
                    updates |= {"zero": new["zero"]} if number == 0 else {}
                updates |= {"current": current, "solved": new["solved"]}
                return updates | ({} if velocity is None else {"velocity": velocity})

            advance(state, rows, problem.batch_size, run)
            calls[rows] += length
            done += length
            claimed = rows[state["solved"][rows]]
            if not verified and len(claimed):
                claimed = self.verify(problem, state, claimed)
            rows = np.setdiff1d(rows, claimed, assume_unique=True)
            if not len(rows):
                break
        return StageResult(state["current"], calls, zero_gradients=state["zero"])

    def verify(self, problem: Problem, state: State, claimed: np.ndarray) -> np.ndarray:
        """Returns the claimed rows that float32 logits confirm; the others may not stop before the next check."""
        logits = problem.classifier.predict(state["current"][claimed], problem.batch_size)
        confirmed = solved(tf.constant(logits), tf.constant(problem.goals[claimed]), self.targeted).numpy()
        state["may_stop"][:] = self.early_stop
        state["may_stop"][claimed[~confirmed]] = False
        state["solved"][claimed[~confirmed]] = False
        return claimed[confirmed]


def random_initial_images(problem: Problem, radius: float, norm: str) -> np.ndarray:
    """Returns a uniform draw from the ball around each image, clipped to the bounds."""
    shape = problem.images.shape[1:]
    uniform = random.uniform(problem.seed, 0, problem.rows, shape)
    normal = random.normal(problem.seed, 1, problem.rows, shape) if norm != "linf" else uniform
    perturbations = threat.random_start(uniform, normal, tf.constant(radius, tf.float32), norm).numpy()
    return problem.clip(problem.images + perturbations)
