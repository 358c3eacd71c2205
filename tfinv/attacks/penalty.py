"""Base class of the penalty attacks, which minimise c times a loss plus the distance, with a search for c for each example."""

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
from tfinv.attacks.problem import Problem, StageResult
from tfinv.attacks.steps import ROUNDING
from tfinv.classifier.compiled import compiled
from tfinv.classifier.gradients import input_gradient
from tfinv.pool import State, advance

# Largest c (Carlini and Wagner's code). With a larger one, float32 would lose the distance in the sum.
_LARGEST_CONST = 1e10
_CHECKS = 10  # checks of the cost per run


class MoveResult(NamedTuple):
    """Result of one step of the optimiser for b examples.

    Attributes:
      variables: new values of the optimised variables, by name.
      candidates: (b, H, W, C) images that may be successes.
      logits: (b, classes) float32 logits of the candidates, or None if they have not been computed.
      cost: (b,) objective of the optimiser, before or after the step.
      score: (b,) of the candidates; the success with the smallest score is returned.
      zero: (b,) bool: the gradient of the margin is exactly zero.
    """

    variables: dict[str, tf.Tensor]
    candidates: tf.Tensor
    logits: tf.Tensor | None
    cost: tf.Tensor
    score: tf.Tensor
    zero: tf.Tensor


@dataclasses.dataclass(frozen=True)
class PenaltyAttack(Attack):
    """Base of the attacks that minimise c f(x') + distance(x, x').

    f is max(-m, -confidence), where m is the margin, positive for an adversarial example (Carlini and Wagner 2017, f6). The
    search for c is separate for each example: c is multiplied by 10 until a run succeeds, or divided by 10 until one fails; then
    its logarithm is bisected. So neither the initial c nor the scale of the logits matters much. (Carlini and Wagner's code
    takes the mean of the two bounds of c, the lower of which is 0 at first.) Each run starts from the same images. The success
    of all runs with the smallest perturbation is moved back towards the original as far as it stays a success.

    Distances in the cost are in units of the bounds' width, so that the constants have the same meaning for all bounds.

    Attributes:
      eps: largest distance of a success. If finite, an example stops after the first run with a success within eps; infinity
        searches for the smallest perturbation.
      steps: largest number of gradient steps of a run.
      learning_rate: of the optimiser.
      binary_search_steps: number of runs, each with another c.
      initial_const: c of the first run.
      confidence: margin, in logits, that a success needs in the search (kappa).
      abort_early: end a run whose cost has not decreased by .01 % in a tenth of the steps.
      VARIABLES: names of the optimiser's variables, each of the shape of the images.
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

    def initial_variables(self, images: np.ndarray, bounds: tuple[float, float]) -> State:
        """Returns the optimiser's variables at the start of a run from these images."""
        raise NotImplementedError

    def schedule(self, step: int) -> Sequence[float]:
        """Returns the further numbers that a move takes, for steps from 0 on; their count is the same for all steps."""
        raise NotImplementedError

    @property
    def graph_key(self) -> tuple[Any, ...]:
        """Hyper-parameters that the graph of a move depends on."""
        return type(self).__name__, self.norm, self.targeted

    def make_move(self, classifier: Any) -> Callable[..., MoveResult]:
        """Returns a step of the optimiser, a function of (image, goal, const, confidence, *variables, *schedule)."""
        raise NotImplementedError

    def perturb(self, problem: Problem) -> StageResult:
        """Takes all runs. Images without a success are returned unchanged."""
        classifier, n = problem.classifier, len(problem.images)
        state: State = {
            "image": problem.images,
            "goal": problem.goals,
            "best": problem.images.copy(),
            "score": np.full(n, np.inf, np.float32),
            "const": np.full(n, self.initial_const, np.float32),
            "zero": np.zeros(n, bool),
        }
        start = problem.images if problem.start is None else problem.start
        variables = self.initial_variables(start, classifier.bounds)
        lower, upper = np.zeros(n, np.float32), np.full(n, np.inf, np.float32)
        calls, rows = np.zeros(n, np.int64), np.arange(n)
        for number in range(self.binary_search_steps):
            state |= {name: values.copy() for name, values in variables.items()}
            state |= {"hit": np.zeros(n, bool), "cost": np.full(n, np.inf, np.float32)}
            calls += self._run(problem, state, rows, first=number == 0)
            hit, const = state["hit"][rows], state["const"][rows]
            upper[rows] = np.where(hit, const, upper[rows])
            lower[rows] = np.where(hit, lower[rows], const)
            state["const"][rows] = _next_const(lower[rows], upper[rows])
            if math.isfinite(self.eps):
                rows = rows[~self._within_eps(state)[rows]]
            if not len(rows):
                break
        solved_rows = np.flatnonzero(np.isfinite(state["score"]))
        images = approach(problem, state["best"], solved_rows, targeted=self.targeted, confidence=self.confidence)
        return StageResult(images, calls, zero_gradients=state["zero"])

    def _run(self, problem: Problem, state: State, rows: np.ndarray, first: bool) -> np.ndarray:
        """Takes one run of each row, with its own c, and returns the gradient calls, (n,)."""
        types = ["images", "labels", "numbers", "images", "numbers", "flags", "numbers", "scalar"]
        types += ["images"] * len(self.VARIABLES) + ["scalar"] * len(self.schedule(0))
        step = compiled(problem.classifier, self.graph_key, self._make_step, *types)
        confidence = tf.constant(self.confidence, tf.float32)
        calls, length = np.zeros(len(problem.images), np.int64), max(1, self.steps // _CHECKS)
        for start in range(0, self.steps, length):
            numbers = range(start, min(start + length, self.steps))

            def run(image, goal, const, best, score, hit, cost, zero, numbers=numbers, **variables):
                for k in numbers:
                    arguments = [variables[name] for name in self.VARIABLES]
                    arguments += [np.float32(x) for x in self.schedule(k)]
                    new = step(image, goal, const, best, score, hit, cost, confidence, *arguments)
                    best, score, hit, cost = (new[name] for name in ("best", "score", "hit", "cost"))
                    variables = {name: new[name] for name in self.VARIABLES}
                    zero = new["zero"] if first and k == 0 else zero
                return new | {"zero": zero}

            previous_cost = state["cost"][rows].copy()
            advance(state, rows, problem.batch_size, run)
            calls[rows] += len(numbers)
            if self.abort_early:
                rows = rows[state["cost"][rows] <= 0.9999 * previous_cost]
        return calls

    def _within_eps(self, state: State) -> np.ndarray:
        """Returns which examples have a success so far within eps that rounding can't move beyond it, (n,)."""
        distances = threat.distances(state["best"], state["image"], self.norm)
        return np.isfinite(state["score"]) & (distances <= self.eps * (1 - 1e-5))

    def _make_step(self, classifier: Any) -> Callable:
        """Returns a step: a move, and updates of the best image by score, of the success of this c, and of the lowest cost."""
        sign, move = self.sign, self.make_move(classifier)

        def step(image, goal, const, best, score, hit, cost, confidence, *arguments):
            new = move(image, goal, const, confidence, *arguments)
            logits = classifier.logits(new.candidates) if new.logits is None else new.logits
            margins = sign * margin(logits, goal) - confidence
            success = margins > ROUNDING * tf.reduce_max(tf.abs(logits), axis=1)
            better = success & (new.score < score)
            return new.variables | {
                "best": tf.where(threat.per_example(better, best), new.candidates, best),
                "score": tf.where(better, new.score, score),
                "hit": hit | success,
                "cost": tf.minimum(cost, new.cost),
                "zero": new.zero,
            }

        return step


def _next_const(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Returns the next c.

    Args:
      lower: largest c that failed, 0 if none.
      upper: smallest c that succeeded, infinity if none.
    """
    mean = np.sqrt(np.where(lower > 0, lower, upper / 100)) * np.sqrt(np.where(upper < np.inf, upper, 100 * lower))
    return np.minimum(mean, np.float32(_LARGEST_CONST))


def loss(classifier: Any, x: tf.Tensor, goal: tf.Tensor, sign: float, confidence: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns f (see `PenaltyAttack`), its gradient, whether the gradient of the margin is exactly zero, and the logits."""

    def value(x):
        logits = classifier.gradient_logits(x)
        return sign * margin(logits, goal), logits

    (margins, logits), gradient = input_gradient(value, x)
    gradient = threat.finite(gradient)
    slope = tf.where(threat.per_example(margins <= confidence, x), -gradient, 0.0)
    return tf.maximum(-margins, -confidence), slope, ~tf.reduce_any(gradient != 0, axis=[1, 2, 3]), logits
