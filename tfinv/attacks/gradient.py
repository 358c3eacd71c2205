"""What follows a gradient step by step: the loop that FGSM, PGD and the momentum attacks share."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack
from tfinv.attacks.losses import LOSSES
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import Kind, limits, make_step, solved
from tfinv.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import State, advance, phases


@dataclasses.dataclass(frozen=True)
class GradientAttack(Attack):
    """Base of the attacks that follow a gradient.

    A family gives `begin`, `sizes`, and what its step has beyond the plain one. An example that is misclassified stays where it
    is and leaves the batch at the next look. Where gradients are computed in half precision, or at another image than the
    current one, success is verified by the float32 classifier first.

    Attributes:
      loss: what is raised, a key of `LOSSES`.
      early_stop: leave an example where it becomes misclassified; otherwise all steps go on raising the loss, as an example
        that is to fool another model too needs it.
    """

    loss: str = "soft_margin"
    early_stop: bool = True

    def __post_init__(self):
        super().__post_init__()
        if self.loss not in LOSSES:
            raise expected(f"a loss among {', '.join(LOSSES)}", repr(self.loss), "Change the argument `loss`.")

    def with_loss(self, loss: str) -> "GradientAttack":
        """The same attack on another loss, a key of `LOSSES`."""
        return dataclasses.replace(self, loss=loss)

    @property
    def kind(self) -> Kind:
        """What the compiled step depends on."""
        return Kind(self.norm, self.loss, self.targeted)

    def sizes(self, radius: float) -> np.ndarray:
        """(steps,) step sizes for a radius."""
        raise NotImplementedError

    def begin(self, problem: Problem, radius: float) -> np.ndarray:
        """(n, H, W, C) images to start from."""
        return problem.images

    def extras(self, problem: Problem) -> Iterator[tuple[Any, ...]]:
        """Further arguments of each step, behind the velocity."""
        while True:
            yield ()

    def perturb(self, problem: Problem) -> Found:
        """One run of all steps."""
        classifier, kind, n = problem.classifier, self.kind, len(problem.images)
        step = compiled(classifier, kind, make_step(kind), *kind.arguments)
        radius = self.radius(classifier)
        eps, sizes = tf.constant(radius, tf.float32), self.sizes(radius).astype(np.float32)
        begin = self.begin(problem, radius) if problem.start is None or problem.round else problem.start
        state = {
            "current": np.array(begin, np.float32),
            "image": problem.images,
            "goal": problem.goals,
            "may_stop": np.full(n, self.early_stop),
            "solved": np.zeros(n, bool),
            "zero": np.zeros(n, bool),
        }
        if kind.momentum:
            state["velocity"] = np.zeros_like(problem.images)
        verified = classifier.exact_gradients and not kind.diverse
        calls, rows, done = np.zeros(n, np.int64), np.arange(n), 0
        extras = self.extras(problem)
        for length in phases(len(sizes)):
            more = [(sizes[done + i], next(extras)) for i in range(length)]
            first = done == 0

            def run(current, image, goal, may_stop, more=more, first=first, velocity=None, **_):
                kept: dict[str, tf.Tensor] = {}
                one, two = limits(image, eps, classifier.bounds, self.norm)
                for i, (size, extra) in enumerate(more):
                    beginning = first and i == 0
                    moving = () if velocity is None else (velocity, self.decay)  # type: ignore[attr-defined]
                    new = step(current, one, two, goal, may_stop, eps, size, beginning, *moving, *extra)
                    current, velocity = new["current"], new.get("velocity")
                    kept |= {"zero": new["zero"]} if beginning else {}
                kept |= {"current": current, "solved": new["solved"]}
                return kept | ({} if velocity is None else {"velocity": velocity})

            advance(state, rows, problem.batch_size, run)
            calls[rows] += length
            done += length
            claimed = rows[state["solved"][rows]]
            if not verified and len(claimed):
                claimed = self.verify(problem, state, claimed)
            rows = np.setdiff1d(rows, claimed, assume_unique=True)
            if not len(rows):
                break
        return Found(state["current"], calls, zero_gradients=state["zero"])

    def verify(self, problem: Problem, state: State, claimed: np.ndarray) -> np.ndarray:
        """Those of the claimed rows that float32 confirms; the others may not stop before the next look."""
        logits = problem.classifier.predict(state["current"][claimed], problem.batch_size)
        right = solved(tf.constant(logits), tf.constant(problem.goals[claimed]), self.targeted).numpy()
        state["may_stop"][:] = self.early_stop
        state["may_stop"][claimed[~right]] = False
        state["solved"][claimed[~right]] = False
        return claimed[right]


def random_begin(problem: Problem, radius: float, norm: str) -> np.ndarray:
    """A uniform draw from the ball around each image, cut to the bounds."""
    shape = problem.images.shape[1:]
    u = random.uniform(problem.seed, 0, problem.rows, shape)
    z = random.normal(problem.seed, 1, problem.rows, shape) if norm != "linf" else u
    moved = problem.images + threat.random_start(u, z, tf.constant(radius, tf.float32), norm).numpy()
    return problem.clip(moved)
