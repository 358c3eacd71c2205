"""The pipeline all inversions share: starts, optimise with the best iterate kept, score."""

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import validation
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.inversion import starts
from tfinv.inversion.losses import LOSSES

# How often the host looks whether any row still runs; between looks no value leaves the graph.
_LOOK_EVERY = 25


@dataclasses.dataclass(frozen=True)
class InversionResult:
    """Reconstructions; n = labels x samples.

    Attributes:
      images: (n, H, W, C) float32 in the bounds: of each row the iterate of the lowest cost.
      labels: (n,) the class that each row reconstructs.
      starts: (n, H, W, C) where each row began.
      confidence: (n,) the model's own probability of the label, in float64.
      cost: (n,) of the returned iterate.
      steps: (n,) gradient steps that the row ran.
      stopped: (n,) bool: a stop rule ended the row, rather than the number of steps.
    """

    images: np.ndarray
    labels: np.ndarray
    starts: np.ndarray
    confidence: np.ndarray
    cost: np.ndarray
    steps: np.ndarray
    stopped: np.ndarray


@dataclasses.dataclass(frozen=True)
class Inversion:
    """Hyper-parameters of an inversion by gradient steps on the pixels.

    Attributes:
      steps: at most so many gradient steps.
      start: one of `starts.STARTS`.
    """

    steps: int = 500
    start: str = "average"

    # What a family gives: the cost's name, its step, and when a row stops.
    loss: str = "cross_entropy"

    def __post_init__(self):
        if not isinstance(self.steps, numbers.Integral) or self.steps < 1:
            raise expected("steps of at least 1", self.steps, "Change the argument `steps`.")
        if self.start not in starts.STARTS:
            raise expected(
                f"a start among {', '.join(starts.STARTS)}", repr(self.start), "Change the argument `start`."
            )
        if self.loss not in LOSSES:
            raise expected(f"a loss among {', '.join(LOSSES)}", repr(self.loss), "Change the argument `loss`.")

    def penalty(self, images: tf.Tensor) -> tf.Tensor:
        """The prior's cost of unit-scaled images (batch, H, W, C), (batch,)."""
        return tf.zeros([tf.shape(images)[0]])

    def move(self, gradient: tf.Tensor) -> tf.Tensor:
        """The change of unit-scaled images for the cost's gradient by them."""
        raise NotImplementedError

    def stop(self, history: "History") -> tf.Tensor:
        """Whether each row stops now, (batch,) bool."""
        raise NotImplementedError


@dataclasses.dataclass
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


def invert(
    classifier: Classifier,
    labels: Any,
    method: Inversion,
    *,
    samples: int = 1,
    average: np.ndarray | None = None,
    seed: int = 0,
) -> InversionResult:
    """Reconstructs an image of each label, `samples` times, all in one batch.

    Args:
      classifier: the victim.
      labels: (k,) classes to reconstruct.
      method: which inversion, and its hyper-parameters.
      samples: reconstructions of each label; with start=noise they differ.
      average: (H, W, C) in the bounds, for start=average.
      seed: of the starts.

    Returns:
      k x samples reconstructions, ordered by label, then sample.

    Raises:
      UserError: labels out of range, a classifier without gradients, a start that cannot be made.
    """
    if not classifier.differentiable:
        raise expected(
            "a classifier with gradients",
            classifier.logits_source,
            "Use a method that needs predictions only.",
        )
    if samples < 1:
        raise expected("at least one sample a label", samples, "Change the argument `samples`.")
    labels = np.atleast_1d(labels)
    if not labels.size:
        raise expected("at least one label", "none", "Change the argument `labels`.")
    wanted = np.repeat(validation.check_labels(labels, len(labels), classifier.num_classes), samples)
    begin = starts.make(method.start, classifier, _places(wanted, classifier.num_classes), average, seed)
    state = _State.begin(begin, _window(method))
    step = _make_step(classifier, method)
    goals = tf.constant(wanted)
    for i in range(method.steps):
        state = _State(*step(*dataclasses.astuple(state), goals, tf.constant(i)))
        if (i + 1) % _LOOK_EVERY == 0 and not state.active.numpy().any():
            break
    # The cost of the last iterate has not been seen yet.
    state = _State(*step(*dataclasses.astuple(state), goals, tf.constant(method.steps)))
    images = state.best.numpy()
    logits = classifier.predict(images).astype(np.float64)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    confidence = (shifted / shifted.sum(1, keepdims=True))[np.arange(len(wanted)), wanted]
    steps = np.minimum(state.taken.numpy(), method.steps)
    return InversionResult(images, wanted, begin, confidence, state.best_cost.numpy(), steps, ~state.active.numpy())


def _places(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """A number for each row that depends on its label and on how many of that label came before, but on no other label."""
    earlier = [int(np.sum(labels[:i] == label)) for i, label in enumerate(labels)]
    return labels + num_classes * np.array(earlier)


@dataclasses.dataclass
class _State:
    x: tf.Tensor
    best: tf.Tensor
    best_cost: tf.Tensor
    settled: tf.Tensor  # the lowest cost that counted as a real improvement
    since_best: tf.Tensor
    recent: tf.Tensor
    active: tf.Tensor
    taken: tf.Tensor

    @classmethod
    def begin(cls, images: np.ndarray, window: int) -> "_State":
        n = len(images)
        x, infinite = tf.constant(images), tf.fill([n], np.float32(np.inf))
        count = tf.zeros([n], tf.int32)
        return cls(
            x,
            x,
            infinite,
            infinite,
            count,
            tf.fill([n, window], np.float32(np.inf)),
            tf.fill([n], True),
            count,
        )


def _window(method: Inversion) -> int:
    return max(1, getattr(method, "beta", 1))


def _make_step(classifier: Classifier, method: Inversion) -> Callable:
    low, high = classifier.bounds
    width = high - low
    window = _window(method)
    loss, tolerance = LOSSES[method.loss], getattr(method, "tolerance", 0.0)

    @tf.function
    def step(x, best, best_cost, settled, since_best, recent, active, taken, goals, i):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = classifier.logits(x)
            cost = loss(logits, goals) + method.penalty((x - low) / width)
            total = tf.reduce_sum(cost)
        gradient = width * tf.cast(tape.gradient(total, x), tf.float32)  # by the unit-scaled image
        better = active & (cost < best_cost)
        best = tf.where(_wide(better, x), x, best)
        best_cost = tf.where(better, cost, best_cost)
        improved = cost < settled - tolerance
        settled = tf.where(improved, cost, settled)
        since_best = tf.where(improved, 0, since_best + 1)
        confidence = tf.gather(tf.nn.softmax(logits), goals, batch_dims=1)
        stop = method.stop(History(cost, confidence, recent, since_best))
        # The first cost is the start's own: a rule may not end a row before its first step.
        active = active & ~(stop & (i > 0))
        slot = tf.one_hot(tf.math.floormod(i, window), window, on_value=True, off_value=False)
        recent = tf.where(slot[None], cost[:, None], recent)
        moved = tf.clip_by_value(x + width * method.move(gradient), low, high)
        x = tf.where(_wide(active, x), moved, x)
        return x, best, best_cost, settled, since_best, recent, active, taken + tf.cast(active, tf.int32)

    return step


def _wide(flags, like):
    return tf.reshape(flags, [-1] + [1] * (len(like.shape) - 1))
