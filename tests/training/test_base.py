"""The base of all training models: its loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.training.base import ClassifierTraining, cross_entropy

LOGITS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
LABELS = np.array([0, 1, 2, 3, 4, 0])


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_cross_entropy(smoothing):
    logs = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
    targets = np.full((6, 5), smoothing / 5)
    targets[np.arange(6), LABELS] += 1 - smoothing
    expected = -(targets * logs).sum(1).mean()
    assert float(cross_entropy(tf.constant(LABELS), tf.constant(LOGITS), smoothing)) == pytest.approx(
        expected, rel=1e-6
    )


def test_without_smoothing_it_is_the_sparse_one_to_the_last_bit():
    network = keras.Sequential([keras.Input((5, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])
    training = ClassifierTraining(network)
    expected = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, LOGITS))
    assert training.classification(tf.constant(LABELS), tf.constant(LOGITS)).numpy() == expected.numpy()
    training.label_smoothing = 0.2
    smoothed = training.classification(tf.constant(LABELS), tf.constant(LOGITS))
    assert smoothed.numpy() == cross_entropy(tf.constant(LABELS), tf.constant(LOGITS), 0.2).numpy()
