"""Momentum, diverse inputs and smoothed gradients, against steps computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import BIM, DIFGSM, MIFGSM, TIFGSM
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import _shrink, _smooth
from tfinv.classifier import Classifier

SHAPE = (5, 5, 1)


def classifier(fn):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits")


def valley(x):
    """Margin that increases towards .52 in every pixel and decreases beyond it, and is always negative."""
    far = tf.reduce_sum(tf.abs(x - 0.52), [1, 2, 3])
    return tf.stack([0 * far, -9 - far], 1)


X, Y = np.full((2, *SHAPE), 0.5, np.float32), np.zeros(2, int)


def test_bim_takes_steps_of_eps_over_steps():
    result = BIM(eps=0.04, steps=4)(classifier(lambda x: valley(x) + tf.reduce_sum(x) * 0), X, Y)
    # .51, .52, then back and forth, or still on the ridge.
    assert np.abs(result.images - 0.52).max() < 0.0101


def test_momentum_carries_over_the_ridge():
    """Steps of .015 from .5: .515, .53 (beyond), and there momentum has three thirds against one: .545 and on."""
    plain = BIM(eps=0.06, steps=4)(classifier(valley), X, Y).images
    carried = MIFGSM(eps=0.06, steps=4)(classifier(valley), X, Y).images
    np.testing.assert_allclose(plain, 0.53, atol=1e-6)  # .515 .53 .515 .53
    np.testing.assert_allclose(carried, 0.545, atol=1e-6)  # g: 1 2 1 0: .515 .53 .545 and no direction
    np.testing.assert_allclose(MIFGSM(eps=0.06, steps=4, decay=0.0)(classifier(valley), X, Y).images, plain, atol=1e-6)


def test_momentum_does_not_depend_on_the_scale_of_the_logits():
    one = MIFGSM(eps=0.06, steps=4)(classifier(valley), X, Y).images
    np.testing.assert_allclose(
        MIFGSM(eps=0.06, steps=4)(classifier(lambda x: 1e-4 * valley(x)), X, Y).images, one, atol=1e-6
    )


def test_a_shrunk_image_lies_on_the_lowest_value():
    x = tf.constant(np.full((1, *SHAPE), 0.75, np.float32))
    shrunk = _shrink(x, -1.0, tf.constant(0.6), tf.constant(0.99), tf.constant(0.0)).numpy()[0, :, :, 0]
    expected = np.full((5, 5), -1.0)
    expected[2:, :3] = 0.75
    np.testing.assert_allclose(shrunk, expected, atol=1e-6)
    np.testing.assert_allclose(_shrink(x, -1.0, tf.constant(1.0), tf.constant(0.5), tf.constant(0.5)), x, atol=1e-6)


def test_diverse_draws_keep_to_their_probability_and_size():
    attack = DIFGSM(probability=0.3, smallest=0.8)
    draws = attack.step_arguments(Problem(classifier(valley), X, Y, Y, np.arange(2), 5, 2))
    shares, tops, lefts = np.array([next(draws) for _ in range(2000)]).T
    assert (shares < 1).mean() == pytest.approx(0.3, abs=0.04)
    assert 0.8 <= shares.min() < 0.81
    assert tops.max() < 1
    assert lefts.mean() == pytest.approx(0.5, abs=0.03)


def test_without_a_chance_to_shrink_diversity_is_momentum():
    whole = DIFGSM(eps=0.06, steps=4, smallest=1.0)(classifier(valley), X, Y).images
    np.testing.assert_allclose(whole, MIFGSM(eps=0.06, steps=4)(classifier(valley), X, Y).images, atol=1e-5)


def test_success_at_a_shrunk_image_is_not_yet_success():
    """The class changes wherever the border is dark, which shrinking makes it: the image itself stays right."""

    def fn(x):
        border = x[:, 0, 0, 0] + x[:, 4, 4, 0] + x[:, 0, 4, 0] + x[:, 4, 0, 0]
        return tf.stack([border - 1.0, 0 * border], 1)

    x = np.full((3, *SHAPE), 0.9, np.float32)
    result = DIFGSM(eps=0.1, steps=20, probability=1.0, smallest=0.5)(classifier(fn), x, np.zeros(3, int))
    assert not result.success.any()
    assert (result.gradient_calls == 20).all()  # none left the batch on the word of a shrunk image


def test_the_gaussian_of_translation_invariance():
    point = np.zeros((1, *SHAPE), np.float32)
    point[0, 2, 2, 0] = 1
    bell = _smooth(tf.constant(point), 3).numpy()[0, 1:4, 1:4, 0]
    outer = np.exp([-4.5, 0, -4.5])
    np.testing.assert_allclose(bell, np.outer(outer, outer) / outer.sum() ** 2, rtol=1e-5)
    np.testing.assert_allclose(_smooth(tf.ones((1, *SHAPE)), 3).numpy()[0, 2, 2, 0], 1, rtol=1e-5)


def test_a_kernel_spreads_the_step():
    """One pixel decides: the plain step moves that pixel alone, the smoothed one its neighbours too."""
    fn = lambda x: tf.stack([0 * x[:, 2, 2, 0], x[:, 2, 2, 0] - 9], 1)  # noqa: E731
    plain, smooth = (a(eps=0.1, steps=2)(classifier(fn), X, Y).images[0, :, :, 0] for a in (MIFGSM, TIFGSM))
    assert (plain != 0.5).sum() == 1
    assert (smooth != 0.5).sum() == 25
    np.testing.assert_allclose(smooth, 0.6, atol=1e-6)
