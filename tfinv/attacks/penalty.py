"""Smallest perturbations by a penalty: c times the loss plus the distance, with the constant c searched for each example."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.base import Attack
from tfinv.attacks.crossing import approach
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.losses import margin
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import ROUNDING
from tfinv.compiled import compiled
from tfinv.pool import State, advance

# From here on no larger c is tried (Carlini and Wagner's code), which float32 could not add to a distance anyway.
_LARGEST_CONST = 1e10
_LOOKS = 10


class Moved(NamedTuple):
    """What one step of the optimiser gives; b examples.

    Attributes:
      variables: their new values by name.
      tried: (b, H, W, C) the image that may be a success.
      logits: (b, K) float32 logits of that image, or None if they are not known.
      cost: (b,) what the optimiser minimises, before or after the step.
      score: (b,) of the image tried; the success with the smallest is returned.
      zero: (b,) bool: the gradient of the margin is exactly zero.
    """

    variables: dict[str, tf.Tensor]
    tried: tf.Tensor
    logits: tf.Tensor | None
    cost: tf.Tensor
    score: tf.Tensor
    zero: tf.Tensor


@dataclasses.dataclass(frozen=True)
class PenaltyAttack(Attack):
    """Base of the attacks that minimise c f(x') + distance(x, x').

    f is max(-ahead, -confidence), with the margin `ahead` by which an example is adversarial (Carlini and Wagner 2017, f6). c is
    searched for each example: it grows tenfold until a run succeeds, or falls tenfold until one fails, and its logarithm is then
    bisected, so that neither the first c nor the scale of the logits matters much. (Carlini and Wagner's code takes the mean of
    the bounds, of which the lower is 0 at first.) Each run begins anew. The least perturbed success of all runs is moved back
    towards the original as far as it stays one.

    Distances in the cost are in units of the bounds' width, so that the constants mean the same for all bounds.

    Attributes:
      eps: largest distance that counts. If finite, an example is done with as soon as something within eps is found; the smallest
        perturbation needs infinity.
      steps: gradient steps of one run, at most.
      learning_rate: of the optimiser.
      binary_search_steps: runs, each with its own c.
      initial_const: the first c.
      confidence: margin, in logits, that counts as a success in the search (kappa).
      abort_early: end a run whose cost has not fallen by .01 % in a tenth of the steps.
      VARIABLES: names of what the optimiser keeps, each of the images' shape.
    """

    MINIMAL = True
    WARM = True
    VARIABLES: ClassVar[tuple[str, ...]] = ()

    eps: float = math.inf
    steps: int = 200
    learning_rate: float = 0.01
    binary_search_steps: int = 9
    initial_const: float = 0.1
    confidence: float = 0.0
    abort_early: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "learning_rate", "binary_search_steps", "initial_const")
        check_number(self, "of at least 0", lambda x: x >= 0, "confidence")

    def begin(self, images: np.ndarray, bounds: tuple[float, float]) -> State:
        """The variables at these images."""
        raise NotImplementedError

    def schedule(self, step: int) -> Sequence[float]:
        """Numbers that a move takes besides, for each step from 0 on; always as many."""
        raise NotImplementedError

    @property
    def kind(self) -> tuple[Any, ...]:
        """What the graph of a move depends on."""
        return type(self).__name__, self.norm, self.targeted

    def make_move(self, classifier: Any) -> Callable[..., Moved]:
        """Returns a step of the optimiser, a function of (image, goal, const, confidence, *variables, *schedule)."""
        raise NotImplementedError

    def perturb(self, problem: Problem) -> Found:
        """All runs; the images that withstand them are the originals again."""
        classifier, n = problem.classifier, len(problem.images)
        state: State = {
            "image": problem.images,
            "goal": problem.goals,
            "best": problem.images.copy(),
            "score": np.full(n, np.inf, np.float32),
            "const": np.full(n, self.initial_const, np.float32),
            "zero": np.zeros(n, bool),
        }
        begin = self.begin(problem.images if problem.start is None else problem.start, classifier.bounds)
        lower, upper = np.zeros(n, np.float32), np.full(n, np.inf, np.float32)
        calls, rows = np.zeros(n, np.int64), np.arange(n)
        for number in range(self.binary_search_steps):
            state |= {name: values.copy() for name, values in begin.items()}
            state |= {"hit": np.zeros(n, bool), "cost": np.full(n, np.inf, np.float32)}
            calls += self._run(problem, state, rows, first=number == 0)
            hit, const = state["hit"][rows], state["const"][rows]
            upper[rows] = np.where(hit, const, upper[rows])
            lower[rows] = np.where(hit, lower[rows], const)
            state["const"][rows] = _next_const(lower[rows], upper[rows])
            if math.isfinite(self.eps):
                rows = rows[~self._near_enough(state)[rows]]
            if not len(rows):
                break
        found = np.flatnonzero(np.isfinite(state["score"]))
        images = approach(problem, state["best"], found, targeted=self.targeted, confidence=self.confidence)
        return Found(images, calls, zero_gradients=state["zero"])

    def _run(self, problem: Problem, state: State, rows: np.ndarray, first: bool) -> np.ndarray:
        """One run of each row, with its own c: the gradients taken, (n,)."""
        arguments = ["images", "labels", "numbers", "images", "numbers", "flags", "numbers", "scalar"]
        arguments += ["images"] * len(self.VARIABLES) + ["scalar"] * len(self.schedule(0))
        step = compiled(problem.classifier, self.kind, self._make_step, *arguments)
        confidence = tf.constant(self.confidence, tf.float32)
        calls, length = np.zeros(len(problem.images), np.int64), max(1, self.steps // _LOOKS)
        for begin in range(0, self.steps, length):
            chosen = range(begin, min(begin + length, self.steps))

            def run(image, goal, const, best, score, hit, cost, zero, chosen=chosen, **variables):
                for k in chosen:
                    moving = [variables[name] for name in self.VARIABLES]
                    numbers = [np.float32(x) for x in self.schedule(k)]
                    new = step(image, goal, const, best, score, hit, cost, confidence, *moving, *numbers)
                    best, score, hit, cost = (new[name] for name in ("best", "score", "hit", "cost"))
                    variables = {name: new[name] for name in self.VARIABLES}
                    zero = new["zero"] if first and k == 0 else zero
                return new | {"zero": zero}

            before = state["cost"][rows].copy()
            advance(state, rows, problem.batch_size, run)
            calls[rows] += len(chosen)
            if self.abort_early:
                rows = rows[state["cost"][rows] <= 0.9999 * before]
        return calls

    def _near_enough(self, state: State) -> np.ndarray:
        """(n,) whether something within eps has been found; rounding may not take what is nearer than this beyond it."""
        distances = threat.distances(state["best"], state["image"], self.norm)
        return np.isfinite(state["score"]) & (distances <= self.eps * (1 - 1e-5))

    def _make_step(self, classifier: Any) -> Callable:
        """A move, and what is kept of it: the best image by its score, whether this c has had a success, the lowest cost."""
        sign, move = self.sign, self.make_move(classifier)

        def step(image, goal, const, best, score, hit, cost, confidence, *more):
            new = move(image, goal, const, confidence, *more)
            logits = classifier.logits(new.tried) if new.logits is None else new.logits
            ahead = sign * margin(logits, goal) - confidence
            success = ahead > ROUNDING * tf.reduce_max(tf.abs(logits), axis=1)
            better = success & (new.score < score)
            return new.variables | {
                "best": tf.where(threat.per_example(better, best), new.tried, best),
                "score": tf.where(better, new.score, score),
                "hit": hit | success,
                "cost": tf.minimum(cost, new.cost),
                "zero": new.zero,
            }

        return step


def _next_const(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The next c between the largest that failed, 0 if none, and the smallest that succeeded, infinity if none."""
    bracketed = np.sqrt(np.where(lower > 0, lower, upper / 100)) * np.sqrt(np.where(upper < np.inf, upper, 100 * lower))
    return np.minimum(bracketed, np.float32(_LARGEST_CONST))


def loss(classifier: Any, x: tf.Tensor, goal: tf.Tensor, sign: float, confidence: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """f, see `PenaltyAttack`, its gradient, whether that of the margin is exactly zero, and the logits; of the images x."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        logits = classifier.gradient_logits(x)
        ahead = sign * margin(logits, goal)
    gradient = threat.finite(tape.gradient(ahead, x))
    slope = tf.where(threat.per_example(ahead <= confidence, x), -gradient, 0.0)
    return tf.maximum(-ahead, -confidence), slope, ~tf.reduce_any(gradient != 0, axis=[1, 2, 3]), logits
