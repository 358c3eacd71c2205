"""Optimisers: each turns gradients into changes of the points, row by row, and keeps slots, tensors of the points' shape."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfinv import threat

_MOMENTUM = 0.9
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8

Slots = list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Optimiser:
    """An update rule, and the number of its slots.

    Attributes:
      slots: number of tensors that it keeps; they start at zero.
      update: maps (gradient, slots, rate, number of the step from 1 on) to the change and the new slots.
    """

    slots: int
    update: Callable[[tf.Tensor, Sequence[tf.Tensor], float, tf.Tensor], tuple[tf.Tensor, Slots]]


def _descent(gradient, slots, rate, count):
    return -rate * gradient, []


def _steepest(gradient, slots, rate, count):
    """A step of length `rate`, since steps in proportion to raw gradients would favour models with small gradients."""
    flat = tf.reshape(gradient, [tf.shape(gradient)[0], 1, 1, -1])
    return -rate * tf.reshape(threat.steepest(flat, "l2"), tf.shape(gradient)), []


def _sign(gradient, slots, rate, count):
    return -rate * tf.sign(gradient), []


def _nesterov(gradient, slots, rate, count):
    velocity = _MOMENTUM * slots[0] - rate * gradient
    return (1.0 + _MOMENTUM) * velocity - _MOMENTUM * slots[0], [velocity]


def _adam(gradient, slots, rate, count):
    """Kingma and Ba 2015, Algorithm 1."""
    mean = _BETA_1 * slots[0] + (1.0 - _BETA_1) * gradient
    square = _BETA_2 * slots[1] + (1.0 - _BETA_2) * tf.square(gradient)
    n = tf.cast(count, tf.float32)
    unbiased = square / (1.0 - tf.pow(_BETA_2, n))
    return -rate * mean / (1.0 - tf.pow(_BETA_1, n)) / (tf.sqrt(unbiased) + _EPSILON), [mean, square]


OPTIMISERS: dict[str, Optimiser] = {
    "descent": Optimiser(0, _descent),
    "steepest": Optimiser(0, _steepest),
    "sign": Optimiser(0, _sign),
    "nesterov": Optimiser(1, _nesterov),
    "adam": Optimiser(2, _adam),
}
