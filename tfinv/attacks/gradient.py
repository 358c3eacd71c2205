"""FGSM and PGD: steps along the gradient's steepest direction, projected onto the budget."""

import dataclasses
import math
import numbers
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.attacks.base import Attack, pad
from tfinv.attacks.losses import LOSSES, margin
from tfinv.classifier import Classifier
from tfinv.errors import expected

# How often the host looks whether all of a batch is solved; between looks no value leaves the graph.
_LOOK_EVERY = 10

# One compiled step for each classifier and kind of step: an eps sweep must not trace again.
_STEPS: weakref.WeakKeyDictionary[Classifier, dict[tuple, Callable]] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class GradientAttack(Attack):
    """Base of the attacks that follow a gradient.

    Attributes:
      loss: what is raised, a key of `LOSSES`.
    """

    loss: str = "margin"

    def __post_init__(self):
        super().__post_init__()
        if self.loss not in LOSSES:
            raise expected(f"a loss among {', '.join(LOSSES)}", repr(self.loss), "Change the argument `loss`.")

    def step_for(self, classifier: Classifier) -> Callable:
        """The compiled step; see `_make_step`."""
        if not classifier.differentiable:
            raise expected(
                f"a classifier with gradients for {type(self).__name__}",
                classifier.logits_source,
                "Use an attack that needs predictions only, such as noise.",
            )
        kinds = _STEPS.setdefault(classifier, {})
        kind = (self.norm, self.loss, self.targeted)
        if kind not in kinds:
            # A strong reference from the step to its key would keep both alive for ever.
            kinds[kind] = _make_step(weakref.proxy(classifier), *kind)
        return kinds[kind]


@dataclasses.dataclass(frozen=True)
class FGSM(GradientAttack):
    """Fast gradient sign method (Goodfellow et al. 2015, section 4): x + eps sign(grad), or eps g / |g| for L2."""

    def perturb(self, classifier, images, goals, *, rows, seed, batch_size) -> Any:
        """One step of length eps."""
        step = self.step_for(classifier)
        x, y = tf.constant(pad(images, batch_size)), tf.constant(pad(goals, batch_size))
        eps = tf.constant(self.radius(classifier), tf.float32)
        moved, _, zero = step(x, x, y, eps, eps)
        n = len(images)
        return moved.numpy()[:n], np.ones(n, np.int64), zero.numpy()[:n]


@dataclasses.dataclass(frozen=True)
class PGD(GradientAttack):
    """Projected gradient descent (Madry et al. 2018, section 2.1), keeping the iterate of the largest margin.

    An image that is misclassified is left alone from the next tenth step on, whatever the others of its batch do.

    Attributes:
      steps: gradient steps a restart.
      step_size: of one step, in units of the bounds; None is 2.5 eps / steps (Madry's choice).
      restarts: runs from new random starts, of what is not solved yet.
      random_start: start at a uniform draw from the budget instead of at the image.
    """

    steps: int = 40
    step_size: float | None = None
    restarts: int = 1
    random_start: bool = True

    _POSITIVE: ClassVar[tuple[str, ...]] = ("steps", "restarts")

    def __post_init__(self):
        super().__post_init__()
        for name in self._POSITIVE:
            if not isinstance(getattr(self, name), numbers.Integral) or getattr(self, name) < 1:
                raise expected(f"{name} of at least 1", getattr(self, name), f"Change the argument `{name}`.")
        if self.step_size is not None and not 0 < self.step_size < math.inf:
            raise expected("a positive step_size", self.step_size, "Change the argument `step_size`.")
        if self.restarts > 1 and not self.random_start:
            raise expected("random_start=True for several restarts", "random_start=False")

    def perturb(self, classifier, images, goals, *, rows, seed, batch_size) -> Any:
        """`restarts` runs of `steps` steps."""
        n = len(images)
        best, best_margin = images.copy(), np.full(n, -np.inf, np.float32)
        calls, zero = np.zeros(n, np.int64), np.zeros(n, bool)
        for restart in range(self.restarts):
            open_rows = np.flatnonzero(best_margin <= 0)
            if not len(open_rows):
                break
            found, found_margin, found_calls, found_zero = self._run(
                classifier, images[open_rows], goals[open_rows], rows[open_rows], restart, seed, batch_size
            )
            better = found_margin > best_margin[open_rows]
            best[open_rows[better]], best_margin[open_rows[better]] = found[better], found_margin[better]
            calls[open_rows] += found_calls
            if restart == 0:
                zero[open_rows] = found_zero
        return best, calls, zero

    def _run(self, classifier, images, goals, rows, restart, seed, batch_size):
        n = len(images)
        step, low_high = self.step_for(classifier), classifier.bounds
        padded_rows = pad(rows, batch_size)
        x, y = tf.constant(pad(images, batch_size)), tf.constant(pad(goals, batch_size))
        eps = tf.constant(self.radius(classifier), tf.float32)
        size = tf.constant(self.step_size or 2.5 * self.radius(classifier) / self.steps, tf.float32)
        current = x
        if self.random_start:
            u = random.uniform(seed, 2 * restart, padded_rows, images.shape[1:])
            z = random.normal(seed, 2 * restart + 1, padded_rows, images.shape[1:])
            current = tf.clip_by_value(x + threat.random_start(u, z, eps, self.norm), *low_high)
        best, best_margin = current, tf.fill([batch_size], -np.inf)
        zero, running, calls = None, tf.fill([batch_size], True), np.zeros(n, np.int64)
        for i in range(self.steps):
            if i % _LOOK_EVERY == _LOOK_EVERY - 1:
                running = best_margin <= 0
                if not running.numpy()[:n].any():
                    break
            moved, here, is_zero = step(current, x, y, eps, size)
            best, best_margin = _keep_better(best, best_margin, current, here, running)
            zero = is_zero if zero is None else zero
            calls += running.numpy()[:n]
            current = moved
        logits = classifier.compiled_logits(current)
        last = margin(logits, y) * (-1.0 if self.targeted else 1.0)
        best, best_margin = _keep_better(best, best_margin, current, last, running)
        return best.numpy()[:n], best_margin.numpy()[:n], calls, zero.numpy()[:n]  # type: ignore[union-attr]


@tf.function
def _keep_better(best, best_margin, current, here, running):
    better = running & (here > best_margin)
    wide = tf.reshape(better, [-1] + [1] * (len(current.shape) - 1))
    return tf.where(wide, current, best), tf.where(better, here, best_margin)


def _make_step(classifier, norm: str, loss: str, targeted: bool) -> Callable:
    """Compiles (current, images, goals, eps, step_size) -> (moved, margin at current, zero gradient at current).

    The margin is signed so that a positive one is a success: away from the label, or at the target.
    """
    sign = -1.0 if targeted else 1.0
    low, high = classifier.bounds
    loss_of = LOSSES[loss]

    @tf.function
    def step(current, images, goals, eps, step_size):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(current)
            logits = classifier.logits(current)  # not bound outside: a method bound to a proxy holds the object itself
            value = sign * tf.reduce_sum(loss_of(logits, goals))
        gradient = tf.cast(tape.gradient(value, current), tf.float32)
        direction = threat.steepest(gradient, norm)
        moved = current - images + step_size * direction
        moved = tf.clip_by_value(images + threat.project(moved, eps, norm), low, high)
        zero = tf.equal(threat.norms(direction, "linf"), 0.0)
        return moved, sign * margin(logits, goals), zero

    return step
