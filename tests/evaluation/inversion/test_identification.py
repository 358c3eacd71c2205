"""Ranks, and the cumulative match curve."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.identification import cumulative_match, identify, ranks

SHAPE = (1, 6, 1)


def test_ranks_and_curve():
    scores = np.array([[5, 1, 2, 0], [5, 1, 2, 0], [5, 1, 2, 0], [1, 1, 0, 0]])
    found = ranks(scores, np.array([0, 1, 3, 0]))
    np.testing.assert_array_equal(found, [1, 3, 4, 2])  # the tie counts against the label
    np.testing.assert_array_equal(cumulative_match(found, 4), [0.25, 0.5, 0.75, 1])


def judge(order, scale=1.0):
    """Logits are the pixels in an order."""
    return Classifier.from_callable(
        lambda x: scale * tf.gather(tf.reshape(x, [-1, 6]), order, axis=1),
        input_shape=SHAPE,
        num_classes=6,
        outputs="logits",
    )


def test_identify():
    images = np.float32([[0.9, 0.5, 0.4, 0.3, 0.2, 0.1], [0.9, 0.5, 0.4, 0.3, 0.2, 0.1]]).reshape(2, *SHAPE)
    found = identify(images, np.array([0, 5]), {"a": judge(range(6))})
    np.testing.assert_array_equal(found.ranks, [1, 6])
    np.testing.assert_array_equal(found.curve, [0.5] * 5 + [1.0])
    # A second judge that is ten times as sure, and has it the other way round, wins.
    both = identify(images, np.array([0, 5]), {"a": judge(range(6)), "b": judge(range(5, -1, -1), 10.0)})
    np.testing.assert_array_equal(both.ranks, [6, 1])
    with pytest.raises(UserError, match="at least one judge"):
        identify(images, np.array([0, 5]), {})
