"""FAB where the smallest perturbation is known: planes, spheres, corners of the bounds, and where there is none."""

import dataclasses
import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.fab import FAB
from tfinv.attacks.hyperplane import project
from tfinv.attacks.pgd import PGD
from tfinv.attacks.problem import Problem
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE, SIZE = (2, 3, 1), 6
MATRIX = np.random.default_rng(7).normal(size=(SIZE, 4)).astype(np.float32)
NORM = pytest.mark.parametrize("norm", threat.NORMS)


def function(fn, classes=2, bounds=(0.0, 1.0)):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=classes, outputs="logits", bounds=bounds)


def linear(matrix=MATRIX, offsets=0.0, scale=1.0, bounds=(0.0, 1.0)):
    """Logits scale (x matrix + offsets)."""
    offsets = np.broadcast_to(np.float32(offsets), matrix.shape[1:])
    return function(lambda x: scale * (tf.reshape(x, [-1, SIZE]) @ matrix + offsets), matrix.shape[1], bounds)


def images(bounds=(0.0, 1.0), n=20, margin=0.0):
    low, high = bounds
    x = np.random.default_rng(1).uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (n, *SHAPE))
    return np.clip(x, low + margin, high - margin).astype(np.float32)


def nearest(classifier, matrix, x, y, norm, bounded=True):
    """Returns distances to the planes between the label and each class, (n, K), infinite where no image in the bounds is on it."""
    low, high = classifier.bounds if bounded else (-1e6, 1e6)
    logits, distances = classifier.predict(x).astype(np.float64), np.full((len(x), matrix.shape[1]), np.inf)
    for k in range(matrix.shape[1]):
        normal = (matrix[:, k] - matrix[:, y].T).reshape(x.shape)
        value = logits[:, k] - logits[np.arange(len(y)), y]
        move = project(tf.constant(x), tf.constant(normal), tf.constant(np.float32(value)), low, high, norm).numpy()
        met = np.abs(value + (normal * move).sum((1, 2, 3))) < 1e-4 * (high - low)
        distances[:, k] = np.where(met & (k != y), threat.distances(move, 0 * move, norm), np.inf)
    return distances


@NORM
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_a_linear_model_gives_the_distance_to_the_nearest_of_its_planes_in_the_box(norm, bounds):
    classifier, x = linear(bounds=bounds), images(bounds)
    y = classifier.predict(x).argmax(1)
    result = FAB(norm=norm, steps=20)(classifier, x, y)
    expected = nearest(classifier, MATRIX, x, y, norm).min(1)
    free = nearest(classifier, MATRIX, x, y, norm, bounded=False).min(1)
    assert (expected > 1.01 * free).any()  # the bounds bind
    np.testing.assert_array_equal(result.success, np.isfinite(expected))
    # Beyond the plane by eta, and then cut to the bounds, is not quite the shortest way.
    np.testing.assert_allclose(result.distances, expected, rtol=5e-3)
    assert (result.distances > expected * (1 - 1e-5)).all()
    np.testing.assert_array_equal(result.success, classifier.predict(result.images).argmax(1) != y)


@NORM
def test_with_two_classes_it_is_the_margin_over_the_dual_norm(norm):
    matrix, x = MATRIX[:, :2], images(margin=0.3, n=30)
    classifier = linear(matrix, -MATRIX[:, :2].sum(0) / 2)
    logits = classifier.predict(x).astype(np.float64)
    y, gap, w = logits.argmax(1), np.abs(logits[:, 0] - logits[:, 1]), np.abs(matrix[:, 0] - matrix[:, 1])
    distance = gap / {"linf": w.sum(), "l2": np.linalg.norm(w), "l1": w.max()}[norm]
    assert distance.min() < 0.29
    near = distance < 0.29  # the bounds can't bind
    result = FAB(norm=norm, steps=10)(classifier, x[near], y[near])
    np.testing.assert_allclose(result.distances, distance[near], rtol=1e-3)


@NORM
@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_the_scale_of_the_logits_does_not_matter(norm, scale):
    x = images()
    y = linear().predict(x).argmax(1)
    one, other = (FAB(norm=norm, steps=10)(linear(scale=s), x, y).distances for s in (1.0, scale))
    np.testing.assert_allclose(one, other, rtol=1e-3)


@pytest.mark.parametrize(("norm", "distance"), [("l2", 0.1), ("linf", 0.1 / math.sqrt(6))])
def test_the_smallest_perturbation_out_of_a_ball(norm, distance):
    """Class 0 is the ball of radius .3 about .5. L2: the way along the radius. L-inf: about (.1 / sqrt 6) if along (1, ...)."""
    classifier = function(
        lambda x: tf.stack([tf.constant(0.09) + 0 * x[:, 0, 0, 0], tf.reduce_sum((x - 0.5) ** 2, [1, 2, 3])], 1)
    )
    x = np.full((1, *SHAPE), 0.5 + 0.2 / math.sqrt(6), np.float32)
    result = FAB(norm=norm)(classifier, x, np.zeros(1, int))
    np.testing.assert_allclose(result.distances, distance, rtol=1e-3)


def test_a_finite_eps_decides_as_the_distance_does_and_ends_early():
    classifier, x = linear(), images()
    y = classifier.predict(x).argmax(1)
    expected = nearest(classifier, MATRIX, x, y, "l2").min(1)
    eps = float(np.median(expected))
    result = FAB(eps=eps, norm="l2", steps=20)(classifier, x, y)
    np.testing.assert_array_equal(result.success, expected <= eps)
    np.testing.assert_array_equal(result.images[~result.success], x[~result.success])
    assert (result.distances <= eps).all()
    # Three classes of up to 20 steps for those that withstand: fewer where a corner of the bounds is the end.
    assert result.gradient_calls[~result.success].min() > 40
    assert result.gradient_calls.max() <= 60
    assert np.median(result.gradient_calls[result.success]) < 10


def test_only_the_likeliest_classes_are_tried():
    classifier, x = linear(), images()
    logits = classifier.predict(x)
    y, second = logits.argmax(1), np.argsort(-logits, 1)[:, 1]
    planes = nearest(classifier, MATRIX, x, y, "l2")
    reached = np.isfinite(planes[np.arange(len(x)), second])
    result = FAB(norm="l2", steps=10, n_targets=1)(classifier, x[reached], y[reached])
    assert (result.gradient_calls == 10).all()
    to_second, least = planes[np.arange(len(x)), second][reached], planes[reached].min(1)
    assert (result.distances <= to_second * (1 + 5e-3)).all()
    other = to_second > 1.2 * least
    assert other.any()
    # A nearer plane may be crossed on the way, but is not looked for.
    assert (result.distances[other] > least[other] * 1.05).any()


def test_what_cannot_be_fooled_is_the_original():
    for fn, zero in [
        (lambda x: tf.stack([1 + 0 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], 1), True),
        (lambda x: tf.stack([100 + 0 * x[:, 0, 0, 0], tf.reduce_sum(x, [1, 2, 3])], 1), False),
    ]:
        for eps in (math.inf, 0.2):
            result = FAB(eps=eps, restarts=2, steps=20)(function(fn), images(), np.zeros(20, int))
            assert not result.success.any()
            np.testing.assert_array_equal(result.images, images())
            assert (result.zero_gradients == zero).all()
            # It ends where nothing moves: at once, or in the corner that comes nearest.
            assert result.gradient_calls.max() <= 2 * (2 if zero else 20)


def test_from_the_corner_of_the_bounds_it_can_only_go_back():
    x = np.zeros((1, *SHAPE), np.float32)
    w = np.float32([1, -5, 2, -5, 0, 1])
    classifier = linear(np.stack([0 * w, w], 1), [0.0, -1.0])
    for norm, distance in [("linf", 1 / 4), ("l2", 1 / math.sqrt(6)), ("l1", 1 / 2)]:
        result = FAB(norm=norm, steps=10)(classifier, x, np.zeros(1, int))
        np.testing.assert_allclose(result.distances, distance, rtol=1e-3)
        assert not result.images.ravel()[[1, 3, 4]].any()


def plateau(x):
    """No gradient within .1 of the middle in the first pixel, success beyond .2."""
    z = tf.nn.relu(tf.abs(x[:, 0, 0, 0] - 0.5) - 0.1)
    return tf.stack([0.1 + 0 * z, z], 1)


def test_restarts_find_what_the_gradient_at_the_image_hides():
    classifier, x, y = function(plateau), np.full((8, *SHAPE), 0.5, np.float32), np.zeros(8, int)
    once = FAB(eps=0.4, steps=10)(classifier, x, y)
    assert not once.success.any()
    assert once.zero_gradients.all()
    again = FAB(eps=0.4, steps=10, restarts=20)(classifier, x, y)
    assert again.success.all()
    assert again.zero_gradients.all()
    everything = FAB(steps=10, restarts=20)(classifier, x, y)
    np.testing.assert_allclose(everything.distances, 0.2, rtol=1e-2)


@NORM
def test_restarts_begin_half_as_far_as_the_best_or_eps(norm):
    x = np.full((5, *SHAPE), 0.5, np.float32)
    zeros, rows = np.zeros(5, int), np.arange(5)
    problem = Problem(function(plateau), x, zeros, zeros, rows, seed=3, batch_size=5)
    attack, best = FAB(eps=0.3, norm=norm, restarts=2), np.float32([np.inf, 0.2, 0.1, np.inf, 0.4])
    np.testing.assert_array_equal(attack._initial_images(problem, best), x)
    again = dataclasses.replace(problem, round=1)
    initial = attack._initial_images(again, best)
    np.testing.assert_allclose(threat.distances(initial, x, norm), [0.15, 0.1, 0.05, 0.15, 0.15], rtol=1e-5)
    part = dataclasses.replace(again.take(np.array([3, 1])), batch_size=1)
    np.testing.assert_array_equal(attack._initial_images(part, best[[3, 1]]), initial[[3, 1]])


def test_a_start_is_where_it_begins():
    classifier, x = function(plateau), np.full((2, *SHAPE), 0.5, np.float32)
    start = x.copy()
    start[:, 0, 0, 0] = 0.65
    result = FAB(eps=0.4, steps=10)(classifier, x, np.zeros(2, int), start=start)
    assert result.success.all()
    np.testing.assert_allclose(result.images[:, 0, 0, 0], 0.7, rtol=1e-3)


@functools.cache
def small_network(scale=1.0):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(inputs))
    x = keras.layers.Dense(16, activation="relu")(x)
    outputs = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=scale, seed=1))(x)
    return Classifier.from_keras(keras.Model(inputs, outputs))


@NORM
def test_it_finds_what_many_steps_of_pgd_find(norm):
    classifier = small_network()
    x = np.random.default_rng(0).uniform(size=(60, 4, 4, 1)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    result = FAB(norm=norm, steps=40)(classifier, x, y)
    for q in (0.3, 0.6):
        eps = float(np.quantile(result.distances, q))
        pgd = PGD(eps=eps, norm=norm, steps=100, restarts=3)(classifier, x, y)
        assert (result.distances <= eps).mean() >= pgd.success.mean() - 0.02
        within = FAB(eps=eps, norm=norm, steps=40)(classifier, x, y)
        assert within.success.mean() >= pgd.success.mean() - 0.02


def test_the_batch_size_does_not_matter():
    classifier = small_network()
    x = np.random.default_rng(0).uniform(size=(11, 4, 4, 1)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    one, other = (FAB(steps=10, restarts=2)(classifier, x, y, batch_size=b, seed=4) for b in (256, 3))
    np.testing.assert_allclose(one.distances, other.distances, rtol=1e-2)


@pytest.mark.parametrize(
    ("argument", "value"),
    [("n_targets", 0), ("alpha_max", -0.1), ("alpha_max", 1.1), ("beta", 2), ("beta", math.nan), ("eta", 0)]
    + [("restarts", 0), ("steps", 1.5)],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=argument):
        FAB(**{argument: value})


def test_it_has_no_targets():
    with pytest.raises(UserError, match="targeted=False"):
        FAB(targeted=True)
