"""Random noise: the size of its perturbations, and the best of its draws."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import FGSM, Noise
from tfinv.classifier import Classifier

SHAPE = (2, 2, 1)
WEIGHTS = np.float32([1, -2, 3, -4])


def classifier(offset):
    return Classifier.from_callable(
        lambda x: tf.reshape(x - 0.5, [-1, 4]) @ np.stack([0 * WEIGHTS, WEIGHTS], 1) + np.float32([0, offset]),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )


X, Y = np.full((30, *SHAPE), 0.5, np.float32), np.zeros(30, int)


def test_every_draw_is_at_the_edge_of_the_budget():
    result = Noise(eps=0.125, draws=1)(classifier(-9), X, Y)
    np.testing.assert_array_equal(np.abs(result.images - X), np.full_like(X, 0.125))
    result = Noise(eps=0.125, draws=1, norm="l2")(classifier(-9), X, Y)
    np.testing.assert_allclose(result.distances, 0.125, rtol=2e-6)
    assert len(np.unique(result.images[:, 0, 0, 0])) == 30
    assert not result.gradient_calls.any()


def test_more_draws_come_closer_to_the_optimum_and_reach_it():
    """Of the 16 corners of four pixels one is the best: 10 eps."""
    victim, means = classifier(-9), []
    for draws in (1, 4, 200):
        logits = victim.predict(Noise(eps=0.1, draws=draws)(victim, X, Y).images)
        means.append((logits[:, 1] - logits[:, 0]).mean())
    assert means[0] < means[1] < means[2]
    assert means[2] == pytest.approx(-9 + 0.1 * 10, abs=1e-5)


def test_noise_is_weaker_than_a_gradient_step():
    victim = classifier(-0.7)
    noise = Noise(eps=0.1, draws=2)(victim, X, Y).success.mean()
    assert noise < 0.5 < FGSM(eps=0.1)(victim, X, Y).success.mean() == 1.0


def test_the_search_narrows_to_the_images_that_are_nearest():
    victim, x = classifier(-9), np.full((128, *SHAPE), 0.5, np.float32)
    order = np.random.default_rng(0).permutation(128)
    x[:, 1, 0, 0] += 0.001 * order  # the higher, the nearer
    x[:, 0, 1, 0] = x[:, 1, 1, 0] = 0.5 - 0.001 * order
    result = Noise(eps=1e-5, draws=80, nearest=True)(victim, x, np.zeros(128, int))
    expected = np.select([order >= 120, order >= 112, order >= 96, order >= 64], [80, 40, 20, 10], 5)
    np.testing.assert_array_equal(result.queries, expected)
