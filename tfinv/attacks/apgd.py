"""Auto-PGD: projected gradient ascent with momentum and an adaptive step size (Croce and Hein 2020, algorithm 1)."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.attacks.apgd_step import FIXED, MOVING, halve_steps, initial_state, make_step
from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.gradient import GradientAttack, random_initial_images
from tfinv.attacks.losses import LOSSES, targeted_dlr
from tfinv.attacks.problem import Problem, StageResult
from tfinv.classifier import Classifier
from tfinv.classifier.compiled import compiled
from tfinv.errors import expected
from tfinv.pool import advance

_MOMENTUM = 0.75
# First period between checkpoints, its decrement, and the shortest period, as shares of all steps.
_FIRST_PERIOD, _DECREMENT, _SHORTEST_PERIOD = 0.22, 0.03, 0.06


@dataclasses.dataclass(frozen=True)
class APGD(GradientAttack):
    """Auto-PGD.

    The default loss is a form of cross-entropy that does not saturate (`losses.log_odds`); the paper also uses "dlr".

    Attributes:
      steps: gradient steps of each restart.
      restarts: runs from new random starts, each on the images that are not misclassified yet.
    """

    WARM = True

    loss: str = "log_odds"
    steps: int = 100
    restarts: int = 1

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "restarts")

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns one stage for each restart."""
        return [(self, r) for r in range(self.restarts)]

    def loss_classes(self, problem: Problem) -> np.ndarray:
        """Returns the classes at which the loss is computed, (n,)."""
        return problem.goals

    def value(self, logits: tf.Tensor, labels: tf.Tensor, loss_classes: tf.Tensor) -> tf.Tensor:
        """Returns the objective to maximise, (b,)."""
        return self.sign * LOSSES[self.loss](logits, loss_classes)

    def perturb(self, problem: Problem) -> StageResult:
        """Takes all steps from one start."""
        classifier, n = problem.classifier, len(problem.images)
        kind = (type(self).__name__, self.norm, self.loss, self.targeted)
        make = make_step(self.norm, self.targeted, self.value)
        step = compiled(classifier, kind, make, *MOVING.values(), *FIXED.values(), "scalar", "scalar")
        radius = self.radius(classifier)
        start = problem.start
        if start is None or problem.round > 0:
            start = random_initial_images(problem, radius, self.norm)
        state = initial_state(problem, start, self.loss_classes(problem), self.early_stop, 2 * radius)
        rows, calls, last_halving, zero = np.arange(n), np.zeros(n, np.int64), 0, np.zeros(n, bool)
        halvings = checkpoints(self.steps)
        # The gradient is zero in the first call, which only evaluates the start. Solved examples leave the batch at each check.
        checks = sorted({0, 2, 6, self.steps, *halvings} & set(range(self.steps + 1)))
        for previous, check in zip([-1, *checks], checks, strict=False):
            momenta = [np.float32(1.0 if i < 2 else _MOMENTUM) for i in range(previous + 1, check + 1)]

            def run(momenta=momenta, **values: Any):
                for momentum in momenta:
                    new = step(*[values[name] for name in (*MOVING, *FIXED)], np.float32(radius), momentum)
                    values |= dict(zip(MOVING, new, strict=True))
                return {name: values[name] for name in MOVING}

            arrays = {name: state[name] for name in (*MOVING, *FIXED)}
            advance(arrays, rows, problem.batch_size, run)
            calls[rows] += len(momenta)
            if check == 0:
                zero = np.logical_not(np.nan_to_num(state["gradient"]).any(axis=(1, 2, 3)))
                state["rises"][:] = 0
            claimed = rows[state["solved"][rows]]
            if not classifier.exact_gradients and len(claimed):
                claimed = self.verify(problem, state, claimed)
            rows = np.setdiff1d(rows, claimed, assume_unique=True)
            if not len(rows):
                break
            if check in halvings:
                halve_steps(state, rows, check - last_halving)
                last_halving = check
        images = state["best"]
        images[state["solved"]] = state["current"][state["solved"]]
        return StageResult(images, calls, zero_gradients=zero)


@dataclasses.dataclass(frozen=True)
class APGDT(APGD):
    """APGD-T: Auto-PGD on the targeted DLR loss, with the most likely other classes as targets, one after the other.

    It is an untargeted attack: any wrong class is a success. It has the arguments of `APGD` except `loss`.

    Attributes:
      n_targets: number of target classes; at most all but the label.
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
        """Returns `APGD` with that loss, since APGD-T has only one."""
        return APGD(**{f.name: getattr(self, f.name) for f in dataclasses.fields(APGD)} | {"loss": loss})

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns one stage for each target and restart."""
        return [(self, r) for r in range(self.restarts * min(self.n_targets, classifier.num_classes - 1))]

    def loss_classes(self, problem: Problem) -> np.ndarray:
        """Returns the target classes of the round, (n,)."""
        return ranked_targets(problem, self.n_targets)

    def value(self, logits: tf.Tensor, labels: tf.Tensor, loss_classes: tf.Tensor) -> tf.Tensor:
        """Returns the targeted DLR loss, (b,)."""
        return targeted_dlr(logits, labels, loss_classes)


def ranked_targets(problem: Problem, n_targets: int) -> np.ndarray:
    """Returns target classes, (n,): the most likely class other than the label in round 0, the second one in round 1, ..."""
    logits = problem.classifier.predict(problem.images, problem.batch_size)
    logits[np.arange(len(logits)), problem.labels] = -np.inf
    count = min(n_targets, problem.classifier.num_classes - 1)
    return np.argsort(-logits, axis=1, kind="stable")[:, problem.round % count]


def checkpoints(steps: int) -> list[int]:
    """Returns the steps at which the step size may be halved (section 3.1): p_(j+1) = p_j + max(p_j - p_(j-1) - .03, .06)."""
    ends, share, period = [], 0.0, _FIRST_PERIOD
    while share + period < 1:
        share += period
        end = math.ceil(round(share * steps, 6))  # .57 of 100 steps is a little more than 57 in floating point
        if end < steps and end not in ends:
            ends.append(end)
        period = max(period - _DECREMENT, _SHORTEST_PERIOD)
    return ends
