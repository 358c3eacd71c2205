"""DeepFool on linear models, where its first step is right, and on models where it has to take several."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.deepfool import DeepFool
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE, SIZE = (2, 3, 1), 6
MATRIX = np.random.default_rng(5).normal(size=(SIZE, 4)).astype(np.float32)
OFFSETS = -MATRIX.sum(0) / 2  # all logits are equal in the middle of the bounds
NORM = pytest.mark.parametrize("norm", ["linf", "l2"])
DUAL = {"linf": lambda w: np.abs(w).sum(-1), "l2": lambda w: np.linalg.norm(w, axis=-1)}


def function(fn, classes=2, bounds=(0.0, 1.0)):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=classes, outputs="logits", bounds=bounds)


@functools.cache
def linear(scale=1.0, bounds=(0.0, 1.0)):
    low, high = bounds
    return function(lambda x: scale * (tf.reshape((x - low) / (high - low), [-1, SIZE]) @ MATRIX + OFFSETS), 4, bounds)


def images(bounds=(0.0, 1.0), n=20, radius=0.2):
    low, high = bounds
    unit = np.random.default_rng(0).uniform(0.5 - radius, 0.5 + radius, (n, *SHAPE))
    return np.float32(low + (high - low) * unit)


def planes(classifier, x):
    """Returns the labels, and f' and w' of algorithm 2 for each class, (n, K) and (n, K, pixels), in units of the bounds."""
    logits, (low, high) = classifier.predict(x).astype(np.float64), classifier.bounds
    y = logits.argmax(1)
    gaps = np.take_along_axis(logits, y[:, None], 1) - logits
    return y, gaps, (MATRIX.T[None] - MATRIX.T[y][:, None]) / (high - low)


@NORM
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_one_step_reaches_the_nearest_plane_of_a_linear_model(norm, bounds, scale):
    classifier, x = linear(scale, bounds), images(bounds)
    y, gaps, normals = planes(linear(bounds=bounds), x)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.arange(4) == y[:, None], np.inf, gaps / DUAL[norm](normals))
    result = DeepFool(norm=norm)(classifier, x, y)
    assert result.success.all()
    np.testing.assert_allclose(result.distances, 1.02 * ratios.min(1), rtol=1e-3, atol=1e-3 * np.ptp(bounds))
    # One step and one look, at three other classes each.
    assert (result.gradient_calls == 6).all()


@NORM
def test_the_overshoot_is_what_it_says(norm):
    x = images()
    y = linear().predict(x).argmax(1)
    near, far = (DeepFool(norm=norm, overshoot=o)(linear(), x, y).distances for o in (0.01, 0.3))
    np.testing.assert_allclose(far / near, 1.3 / 1.01, rtol=1e-3)


def test_candidates_are_the_likeliest_classes():
    x = images(n=60)
    y, gaps, normals = planes(linear(), x)
    second = np.argsort(gaps, 1)[:, 1]
    to_second = (gaps / np.maximum(DUAL["l2"](normals), 1e-9))[np.arange(60), second]
    all_candidates, two_candidates = (DeepFool(norm="l2", candidates=c)(linear(), x, y) for c in (10, 2))
    assert (two_candidates.gradient_calls == 2).all()
    assert two_candidates.success.all()
    np.testing.assert_allclose(two_candidates.distances, 1.02 * to_second, rtol=1e-3, atol=1e-3)
    assert (two_candidates.distances > 1.05 * all_candidates.distances).any()


def test_the_bounds_cost_what_they_must():
    """From the corner only pixels 0, 2 and 5 can follow (1, -5, 2, -5, 0, 1)."""
    w = np.float32([1, -5, 2, -5, 0, 1])
    classifier = function(lambda x: tf.reshape(x, [-1, SIZE]) @ np.stack([0 * w, w], 1) - [0.0, 1.0])
    x = np.zeros((2, *SHAPE), np.float32)
    for norm, distance in [("linf", 1 / 4), ("l2", 1 / math.sqrt(6))]:
        # The pixels that are stopped count in the length of each step, so it takes many to reach the boundary, from below.
        result = DeepFool(norm=norm, steps=150)(classifier, x, np.zeros(2, int))
        assert result.success.all()
        np.testing.assert_allclose(result.distances, distance, rtol=2e-2)
        assert not result.images[:, [0, 1, 1], [1, 0, 1], 0].any()


@NORM
def test_several_steps_reach_a_curved_boundary(norm):
    """Out of the ball of radius .3 along the diagonal; the first step, along the tangent of x^2 at .2, goes to .325."""
    classifier = function(
        lambda x: tf.stack([tf.constant(0.09) + 0 * x[:, 0, 0, 0], tf.reduce_sum((x - 0.5) ** 2, [1, 2, 3])], 1)
    )
    root = math.sqrt(6)
    x = np.full((1, *SHAPE), 0.5 + 0.1 / root, np.float32)
    expected = {"l2": 1.0, "linf": 1 / root}[norm] * 1.02 * (0.09 - 0.01) / (2 * 0.1)
    result = DeepFool(norm=norm)(classifier, x, np.zeros(1, int))
    np.testing.assert_allclose(result.distances, expected, rtol=1e-3)
    # The concave side needs more steps: into the ball from .5 to .3, where Newton's method for x^2 falls short each time.
    inside = function(
        lambda x: tf.stack([tf.reduce_sum((x - 0.5) ** 2, [1, 2, 3]), tf.constant(0.09) + 0 * x[:, 0, 0, 0]], 1)
    )
    x = np.full((1, *SHAPE), 0.5 + 0.45 / root, np.float32)
    result = DeepFool(norm=norm)(inside, x, np.zeros(1, int))
    distance, start, calls = 0.0, 0.45, 0
    while start - distance > 0.3:
        z = start - distance
        distance += 1.02 * (z * z - 0.09) / (2 * z)
        calls += 1
    assert calls > 1
    np.testing.assert_allclose(result.distances, distance * {"l2": 1.0, "linf": 1 / root}[norm], rtol=1e-3)
    assert DeepFool(norm=norm, steps=1)(inside, x, np.zeros(1, int)).distances == 0


def test_what_cannot_be_fooled_is_the_original():
    for fn, zero in [
        (lambda x: tf.stack([1 + 0 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], 1), True),
        (lambda x: tf.stack([100 + 0 * x[:, 0, 0, 0], tf.reduce_sum(x, [1, 2, 3])], 1), False),
    ]:
        result = DeepFool()(function(fn), images(), np.zeros(20, int))
        assert not result.success.any()
        np.testing.assert_array_equal(result.images, images())
        assert (result.zero_gradients == zero).all()
        assert result.gradient_calls.max() <= 6  # nothing moves in the corner


def test_farther_than_eps_is_the_original():
    x = images()
    y = linear().predict(x).argmax(1)
    free = DeepFool(norm="l2")(linear(), x, y).distances
    eps = float(np.median(free))
    result = DeepFool(eps=eps, norm="l2")(linear(), x, y)
    np.testing.assert_array_equal(result.success, free <= eps)
    np.testing.assert_array_equal(result.images[free > eps], x[free > eps])


@NORM
def test_the_batch_size_does_not_matter(norm):
    x = images(radius=0.5)
    y = linear().predict(x).argmax(1)
    one, other = (DeepFool(norm=norm)(linear(), x, y, batch_size=b) for b in (256, 3))
    np.testing.assert_allclose(one.images, other.images, atol=1e-5)
    assert threat.distances(one.images, x, norm).max() > 0


@pytest.mark.parametrize(
    ("argument", "value"), [("steps", 0), ("overshoot", 0), ("candidates", 1), ("norm", "l1"), ("targeted", True)]
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=argument):
        DeepFool(**{argument: value})
