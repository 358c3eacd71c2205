"""Search for the boundary between an adversarial image and the original."""

import numpy as np
import tensorflow as tf

from tfinv.attacks.crossing import approach
from tfinv.attacks.problem import Problem
from tfinv.classifier import Classifier

SHAPE = (1, 2, 1)


def problem(margin, n):
    """Returns a problem of label 0 and images of zeros, whose margin is a function of the first pixel."""
    classifier = Classifier.from_callable(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], margin(x[:, 0, 0, 0]) + 0 * x[:, 0, 1, 0]], 1),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )
    zeros = np.zeros(n, int)
    return Problem(classifier, np.zeros((n, *SHAPE), np.float32), zeros, zeros, np.arange(n), 0, 2)


def line_images(*values):
    return np.float32(values)[:, None, None, None] * np.float32([1, 0.5]).reshape(SHAPE)


def first_pixels(result):
    np.testing.assert_allclose(result[:, 0, 1, 0], 0.5 * result[:, 0, 0, 0], rtol=1e-6)  # on the line
    return result[:, 0, 0, 0]


def test_a_linear_margin_is_crossed_in_one_step():
    task, adversarial = problem(lambda z: z - 0.4, 5), line_images(1.0, 0.5, 0.41, 0.9, 0.6)
    result = first_pixels(approach(task, adversarial, np.arange(5), steps=1))
    np.testing.assert_allclose(result, 0.4, rtol=1e-4)
    assert (task.classifier.predict(approach(task, adversarial, np.arange(5))).argmax(1) == 1).all()


def test_more_steps_come_closer_and_never_lose_the_label():
    task, adversarial = problem(lambda z: z**2 - 0.25, 1), line_images(1.0)
    results = [first_pixels(approach(task, adversarial, np.arange(1), steps=s))[0] for s in (1, 3, 9)]
    # The first secant goes to .25, where it is not misclassified: only the bracket gets smaller.
    assert results[0] == 1.0
    assert results == sorted(results, reverse=True)
    np.testing.assert_allclose(results[2], 0.5, rtol=1e-3)
    assert min(results) > 0.5


def test_a_steep_step_is_never_passed():
    task = problem(lambda z: tf.where(z > 0.5, 1.0, -1.0), 1)
    assert 0.5 < first_pixels(approach(task, line_images(0.9), np.arange(1), steps=9))[0] < 0.51


def test_rows_that_are_not_meant_stay():
    task, adversarial = problem(lambda z: z - 0.4, 3), line_images(1.0, 0.9, 0.8)
    original = adversarial.copy()
    result = approach(task, adversarial, np.array([1]))
    np.testing.assert_array_equal(adversarial, original)
    np.testing.assert_array_equal(result[[0, 2]], original[[0, 2]])
    np.testing.assert_allclose(first_pixels(result)[1], 0.4, rtol=1e-4)
