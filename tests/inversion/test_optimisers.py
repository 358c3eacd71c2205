"""Every rule from a gradient to a change, against Keras's optimisers or by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.inversion.optimisers import OPTIMISERS

RATE, STEPS, SHAPE = 0.3, 6, (2, 2, 1, 3)


def gradient(points, i):
    """Of no function: that its size and sign change is what counts."""
    return np.float32(np.sin(3 * points + i))


def path(name):
    rule = OPTIMISERS[name]
    points, slots = np.linspace(-1, 1, 12, dtype=np.float32).reshape(SHAPE), [tf.zeros(SHAPE)] * rule.slots
    iterates = []
    for i in range(STEPS):
        change, slots = rule.update(tf.constant(gradient(points, i)), slots, RATE, tf.constant(i + 1))
        assert len(slots) == rule.slots
        points = points + change.numpy()
        iterates.append(points)
    return np.array(iterates)


def path_of(move):
    points, iterates = np.linspace(-1, 1, 12, dtype=np.float32).reshape(SHAPE), []
    for i in range(STEPS):
        points = move(points, gradient(points, i))
        iterates.append(points)
    return np.array(iterates)


def keras_rule(optimiser):
    variable = keras.Variable(np.zeros(SHAPE, np.float32))
    optimiser.build([variable])

    def move(points, g):
        variable.assign(points)
        optimiser.apply([tf.constant(g)], [variable])
        return variable.numpy()

    return move


def steepest(points, g):
    length = np.sqrt(np.sum(g**2, axis=(1, 2, 3), keepdims=True))
    return points - RATE * g / length


RULES = {
    "descent": lambda: keras_rule(keras.optimizers.SGD(RATE)),
    "steepest": lambda: steepest,
    "sign": lambda: lambda points, g: points - np.float32(RATE) * np.sign(g),
    "nesterov": lambda: keras_rule(keras.optimizers.SGD(RATE, momentum=0.9, nesterov=True)),
    "adam": lambda: keras_rule(keras.optimizers.Adam(RATE, epsilon=1e-8)),
}


def test_every_rule_is_tried():
    assert set(RULES) == set(OPTIMISERS)


@pytest.mark.parametrize("name", RULES)
def test_the_path_is_the_known_one(name):
    np.testing.assert_allclose(path(name), path_of(RULES[name]()), atol=2e-5)


def test_no_gradient_is_no_step():
    for name, rule in OPTIMISERS.items():
        slots = [tf.zeros(SHAPE)] * rule.slots
        change, _ = rule.update(tf.zeros(SHAPE), slots, RATE, tf.constant(1))
        np.testing.assert_array_equal(change, np.zeros(SHAPE), err_msg=name)
