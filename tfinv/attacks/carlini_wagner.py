"""Carlini and Wagner's L2 attack."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.penalty import MoveResult, PenaltyAttack, loss
from tfinv.pool import State

# Adam's constants (Kingma and Ba 2015).
_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
# Keeps w finite where a pixel of the start is at a bound (Carlini and Wagner's code).
_INSIDE = 0.999999


@dataclasses.dataclass(frozen=True)
class CarliniWagner(PenaltyAttack):
    """Carlini and Wagner's L2 attack (2017, "Towards evaluating the robustness of neural networks").

    Minimises c f(x') + |x' - x|^2 over w, where x' = (tanh w + 1) / 2 in units of the bounds, with Adam. See `PenaltyAttack` for f,
    the search for c, and the attributes.

    The paper takes 9 runs of 10,000 steps of .01 from c = .001. Here a run has 200 steps of .05, because a pixel at a bound starts
    at |w| = 7.3, from where 200 steps of .01 hardly change it. c starts at .1, because every c that is too small costs a whole
    run. On a convolutional net for MNIST, 50 % more steps make the distances .2 % smaller.
    """

    NORMS = ("l2",)
    VARIABLES = ("modifier", "first", "second")

    norm: str = "l2"
    learning_rate: float = 0.05

    def initial_variables(self, images: np.ndarray, bounds: tuple[float, float]) -> State:
        """Returns w at the images, and Adam's moments at zero."""
        low, high = bounds
        inside = (2 * (images.astype(np.float64) - low) / (high - low) - 1) * _INSIDE
        zeros = np.zeros_like(images)
        return {"modifier": np.arctanh(inside).astype(np.float32), "first": zeros, "second": zeros}

    def schedule(self, step: int) -> Sequence[float]:
        """Returns the learning rate, and Adam's bias corrections of its two moments."""
        return self.learning_rate, 1 / (1 - _FIRST ** (step + 1)), 1 / (1 - _SECOND ** (step + 1))

    def make_move(self, classifier: Any) -> Callable[..., MoveResult]:
        """Returns a step of Adam on w; the candidates are the images at which it computes the gradient."""
        (low, high), sign = classifier.bounds, self.sign
        width = high - low

        def move(image, goal, const, confidence, modifier, first, second, rate, correct_first, correct_second):
            scaled = tf.tanh(modifier)
            candidates = tf.clip_by_value(low + width * (scaled + 1.0) / 2.0, low, high)
            f, slope, zero, logits = loss(classifier, candidates, goal, sign, confidence)
            change = (candidates - image) / width
            pixel_gradient = threat.per_example(const, slope) * width * slope + 2.0 * change
            gradient = pixel_gradient * (1.0 - tf.square(scaled)) / 2.0
            first = _FIRST * first + (1.0 - _FIRST) * gradient
            second = _SECOND * second + (1.0 - _SECOND) * tf.square(gradient)
            step = rate * correct_first * first / (tf.sqrt(correct_second * second) + _TINY)
            new = {"modifier": modifier - step, "first": first, "second": second}
            size = threat.norms(change, "l2")
            float32_logits = logits if classifier.exact_gradients else None
            return MoveResult(new, candidates, float32_logits, const * f + tf.square(size), size, zero)

        return move
