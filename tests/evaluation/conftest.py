"""A linear classifier of 4x4 images, of which everything is known, and images around its boundary."""

import functools
import types

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier

SHAPE, SIZE = (4, 4, 1), 16


@functools.cache
def linear(scale=1.0, bounds=(0.0, 1.0), front=lambda x: x):
    """Two classes, logits -+ scale times the sum of the pixels around their middle."""
    low, high = bounds

    def fn(x):
        total = tf.reduce_sum(front(x) - (low + high) / 2, [1, 2, 3]) / (high - low)
        return scale * tf.stack([-total, total], 1)

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits", bounds=bounds)


@functools.cache
def data():
    """400 images of |sums| from 0 to 5.6: at eps .05, .1, .25 an L-inf attack takes .8, 1.6, 4 of it."""
    x = np.random.default_rng(0).uniform(size=(400, *SHAPE)).astype(np.float32)
    shift = np.random.default_rng(1).uniform(-0.2, 0.2, (400, 1, 1, 1)).astype(np.float32)
    x = np.clip(0.5 + (x - 0.5) * 0.4 + shift, 0, 1).astype(np.float32)
    x[0, 0, 0], x[0, 0, 1] = 0, 1
    return x, (x.reshape(400, -1).astype(np.float64).sum(1) > SIZE / 2).astype(int)


def sums():
    """(400,) |sum of the pixels around .5|: how far each image is from the boundary, in L1."""
    return np.abs((data()[0].astype(np.float64) - 0.5).sum((1, 2, 3)))


def quantised(x):
    """Eight levels, with a gradient that is exactly zero."""
    return 0.0 * x + tf.stop_gradient(tf.round(x * 8) / 8)


def backwards(x):
    """The identity, with a gradient of the wrong sign."""
    return 2 * tf.stop_gradient(x) - x


@functools.cache
def black_box():
    """The same without gradients."""
    classifier = linear()
    return Classifier.from_predict(classifier.predict, input_shape=SHAPE, num_classes=2, outputs="logits")


@pytest.fixture(scope="session")
def handmade():
    """All of the above, for the tests that know the numbers."""
    return types.SimpleNamespace(
        linear=linear, data=data, sums=sums, quantised=quantised, backwards=backwards, black_box=black_box
    )
