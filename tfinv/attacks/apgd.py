"""Auto-PGD: projected gradient ascent with momentum that halves its step by itself (Croce and Hein 2020, algorithm 1)."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.gradient import GradientAttack, random_begin
from tfinv.attacks.losses import LOSSES, targeted_dlr
from tfinv.attacks.problem import Found, Problem
from tfinv.attacks.steps import solved
from tfinv.classifier import Classifier
from tfinv.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import State, advance

_MOMENTUM = 0.75
_RISES = 0.75  # rho: the share of steps that must raise the loss for the step size to stay
_FIRST, _LESS, _LEAST = (
    0.22,
    0.03,
    0.06,
)  # the first checkpoint, how periods shorten, and the shortest, as shares of all steps

# What a step takes and changes, and what it only takes.
_MOVING = {
    "current": "images",
    "previous": "images",
    "gradient": "images",
    "best": "images",
    "best_gradient": "images",
    "value": "numbers",
    "best_value": "numbers",
    "rises": "numbers",
    "solved": "flags",
}
_FIXED = {
    "image": "images",
    "label": "labels",
    "aim": "labels",
    "goal": "labels",
    "may_stop": "flags",
    "size": "numbers",
}


@dataclasses.dataclass(frozen=True)
class APGD(GradientAttack):
    """Auto-PGD.

    The default loss is cross-entropy in a form that does not saturate (`losses.log_odds`); "dlr" is the paper's other one.

    Attributes:
      steps: gradient steps a restart.
      restarts: runs from new random starts, of what is not solved yet.
    """

    WARM = True

    loss: str = "log_odds"
    steps: int = 100
    restarts: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "restarts")

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """One a restart."""
        return [(self, r) for r in range(self.restarts)]

    def aims(self, problem: Problem) -> np.ndarray:
        """(n,) the classes that the loss is taken at."""
        return problem.goals

    def value(self, logits: tf.Tensor, labels: tf.Tensor, aims: tf.Tensor) -> tf.Tensor:
        """What is raised, (b,)."""
        return self.sign * LOSSES[self.loss](logits, aims)

    def perturb(self, problem: Problem) -> Found:
        """One run of all steps."""
        classifier, n = problem.classifier, len(problem.images)
        kind = (type(self).__name__, self.norm, self.loss, self.targeted)
        make = _make_step(self.norm, self.targeted, self.value)
        step = compiled(classifier, kind, make, *_MOVING.values(), *_FIXED.values(), "scalar", "scalar")
        radius = self.radius(classifier)
        own = problem.start is None or problem.round > 0
        begin = random_begin(problem, radius, self.norm) if own else problem.start
        state = _begin(problem, begin, self.aims(problem), self.early_stop)
        state["size"] += np.float32(2 * radius)
        rows, calls, last, zero = np.arange(n), np.zeros(n, np.int64), 0, np.zeros(n, bool)
        checks = checkpoints(self.steps)
        # The first call, whose gradient is zero, only looks at the start. The others follow each other from look to look.
        looks = sorted({0, 2, 6, self.steps, *checks} & set(range(self.steps + 1)))
        for before, look in zip([-1, *looks], looks, strict=False):
            momenta = [np.float32(1.0 if i < 2 else _MOMENTUM) for i in range(before + 1, look + 1)]

            def run(momenta=momenta, **values: Any):
                for momentum in momenta:
                    new = step(*[values[name] for name in (*_MOVING, *_FIXED)], np.float32(radius), momentum)
                    values |= dict(zip(_MOVING, new, strict=True))
                return {name: values[name] for name in _MOVING}

            part = {name: state[name] for name in (*_MOVING, *_FIXED)}
            advance(part, rows, problem.batch_size, run)
            calls[rows] += len(momenta)
            if look == 0:
                zero = np.logical_not(np.nan_to_num(state["gradient"]).any(axis=(1, 2, 3)))
                state["rises"][:] = 0
            claimed = rows[state["solved"][rows]]
            if not classifier.exact_gradients and len(claimed):
                claimed = self.verify(problem, state, claimed)
            rows = np.setdiff1d(rows, claimed, assume_unique=True)
            if not len(rows):
                break
            if look in checks:
                _halve(state, rows, look - last)
                last = look
        images = state["best"]
        images[state["solved"]] = state["current"][state["solved"]]
        return Found(images, calls, zero_gradients=zero)


@dataclasses.dataclass(frozen=True)
class APGDT(APGD):
    """APGD-T: Auto-PGD on the targeted DLR loss, at the most likely other classes one after the other.

    Untargeted in what counts: any wrong class is a success. Of `APGD`'s arguments, `loss` is not one of its own.

    Attributes:
      n_targets: how many classes; at most all others.
    """

    TARGETED = False

    n_targets: int = 9

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "n_targets")
        if self.loss != APGD.loss:
            raise expected(
                "apgdt without a loss: it is defined by the targeted DLR loss",
                repr(self.loss),
                "Leave out the argument `loss`, or take apgd.",
            )

    def with_loss(self, loss: str) -> APGD:
        """`APGD` on that loss: there is no other targeted one."""
        return APGD(**{f.name: getattr(self, f.name) for f in dataclasses.fields(APGD)} | {"loss": loss})

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """One for each target and restart."""
        return [(self, r) for r in range(self.restarts * min(self.n_targets, classifier.num_classes - 1))]

    def aims(self, problem: Problem) -> np.ndarray:
        """The target class of the round."""
        return ranked_targets(problem, self.n_targets)

    def value(self, logits: tf.Tensor, labels: tf.Tensor, aims: tf.Tensor) -> tf.Tensor:
        """The targeted DLR loss."""
        return targeted_dlr(logits, labels, aims)


def ranked_targets(problem: Problem, n_targets: int) -> np.ndarray:
    """(n,) the other class that is most likely, or by the number of the round the second, third, ... likely one."""
    logits = problem.classifier.predict(problem.images, problem.batch_size)
    logits[np.arange(len(logits)), problem.labels] = -np.inf
    count = min(n_targets, problem.classifier.num_classes - 1)
    return np.argsort(-logits, axis=1, kind="stable")[:, problem.round % count]


def checkpoints(steps: int) -> list[int]:
    """The steps at which the step size is reconsidered (section 3.1): p_(j+1) = p_j + max(p_j - p_(j-1) - .03, .06)."""
    ends, share, period = [], 0.0, _FIRST
    while share + period < 1:
        share += period
        end = math.ceil(round(share * steps, 6))  # .57 of 100 steps is a little more than 57 in floating point
        if end < steps and end not in ends:
            ends.append(end)
        period = max(period - _LESS, _LEAST)
    return ends


def _begin(problem, begin, aims, may_stop) -> State:
    n = len(problem.images)
    begin = np.array(begin, np.float32)
    lowest = np.full(n, -np.inf, np.float32)
    return {
        "current": begin,
        "previous": begin.copy(),
        "gradient": np.zeros_like(begin),
        "best": begin.copy(),
        "best_gradient": np.zeros_like(begin),
        "value": lowest,
        "best_value": lowest.copy(),
        "rises": np.zeros(n, np.float32),
        "solved": np.zeros(n, bool),
        "image": problem.images,
        "label": problem.labels,
        "aim": aims,
        "goal": problem.goals,
        "may_stop": np.full(n, may_stop),
        "size": np.zeros(n, np.float32),
        "halved": np.ones(n, bool),
        "checked_value": lowest.copy(),
    }


def _halve(state: State, rows: np.ndarray, period: int) -> None:
    """At a checkpoint: halves the step of the rows that oscillate or stand still, and puts them back to their best point."""
    slow = state["rises"][rows] < _RISES * period
    still = ~state["halved"][rows] & (state["best_value"][rows] <= state["checked_value"][rows])
    state["halved"][rows] = slow | still
    state["checked_value"][rows] = state["best_value"][rows]
    state["rises"][rows] = 0
    chosen = rows[slow | still]
    state["size"][chosen] /= 2
    state["current"][chosen] = state["best"][chosen]
    state["gradient"][chosen] = state["best_gradient"][chosen]


def _make_step(norm: str, targeted: bool, value_of: Callable) -> Callable[[Any], Callable]:
    def make(classifier):
        low, high = classifier.bounds

        def step(
            current, previous, gradient, best, best_gradient, value, best_value, rises, done,
            image, label, aim, goal, may_stop, size, eps, momentum,
        ):  # fmt: skip
            def inside(x):
                return tf.clip_by_value(image + threat.project(x - image, eps, norm), low, high)

            ahead = inside(current + threat.per_example(size, current) * threat.steepest(gradient, norm))
            moved = inside(current + momentum * (ahead - current) + (1.0 - momentum) * (current - previous))
            moved = tf.where(threat.per_example(done, current), current, moved)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(moved)
                logits = classifier.gradient_logits(moved)
                values = value_of(logits, label, aim)
                total = tf.reduce_sum(values)
            new_gradient = tape.gradient(total, moved)
            better = values > best_value
            wide = threat.per_example(better, current)
            return (
                moved,
                current,
                new_gradient,
                tf.where(wide, moved, best),
                tf.where(wide, new_gradient, best_gradient),
                values,
                tf.where(better, values, best_value),
                rises + tf.cast(values > value, tf.float32),
                done | (may_stop & solved(logits, goal, targeted, classifier.exact_gradients)),
            )

        return step

    return make
