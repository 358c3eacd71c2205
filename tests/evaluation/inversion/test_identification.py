"""Ranks, and the cumulative match curve."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.inversion.identification import cumulative_match, identify, label_ranks

SHAPE = (1, 6, 1)


def test_ranks_and_curve():
    scores = np.array([[5, 1, 2, 0], [5, 1, 2, 0], [5, 1, 2, 0], [1, 1, 0, 0]])
    ranks = label_ranks(scores, np.array([0, 1, 3, 0]))
    np.testing.assert_array_equal(ranks, [1, 3, 4, 2])  # the tie counts against the label
    np.testing.assert_array_equal(cumulative_match(ranks, 4), [0.25, 0.5, 0.75, 1])


def identifier(order, scale=1.0):
    """Logits are the pixels in an order."""
    return Classifier.from_callable(
        lambda x: scale * tf.gather(tf.reshape(x, [-1, 6]), order, axis=1),
        input_shape=SHAPE,
        num_classes=6,
        outputs="logits",
    )


def test_identify():
    images = np.float32([[0.9, 0.5, 0.4, 0.3, 0.2, 0.1], [0.9, 0.5, 0.4, 0.3, 0.2, 0.1]]).reshape(2, *SHAPE)
    single = identify(images, np.array([0, 5]), {"a": identifier(range(6))})
    np.testing.assert_array_equal(single.ranks, [1, 6])
    np.testing.assert_array_equal(single.curve, [0.5] * 5 + [1.0])
    # A second identifier that is ten times as sure, and has it the other way round, wins.
    both = identify(images, np.array([0, 5]), {"a": identifier(range(6)), "b": identifier(range(5, -1, -1), 10.0)})
    np.testing.assert_array_equal(both.ranks, [6, 1])
    with pytest.raises(UserError, match="at least one identifier"):
        identify(images, np.array([0, 5]), {})
