"""A linear classifier of six pixels, where the smallest perturbation is known in closed form."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier

SHAPE, SIZE = (2, 3, 1), 6
WEIGHTS = np.float32([0.5, -1, 2, -0.25, 0.125, -3])
BOUNDS = pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])


def function(fn, classes=2, **options):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=classes, outputs="logits", **options)


@functools.cache
def linear(offset, bounds=(0.0, 1.0), scale=1.0):
    """Returns a classifier with logits (0, w (x - middle) + offset), whose margin at class 0 is the second logit."""
    matrix = np.stack([np.zeros(SIZE), WEIGHTS], 1).astype(np.float32)
    middle = sum(bounds) / 2
    return function(
        lambda x: scale * (tf.reshape(x - middle, [-1, SIZE]) @ matrix + np.float32([0, offset])), bounds=bounds
    )


def middle(bounds=(0.0, 1.0), n=3):
    return np.full((n, *SHAPE), sum(bounds) / 2, np.float32)
