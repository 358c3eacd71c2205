"""Carlini and Wagner's attack where the smallest perturbation is known, and its search for c."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from linear_model import BOUNDS, SHAPE, SIZE, WEIGHTS, function, linear, middle
from tfinv.attacks import EAD, FMN, CarliniWagner
from tfinv.attacks.penalty import _next_const
from tfinv.classifier import Classifier
from tfinv.errors import UserError

DUAL = np.linalg.norm(WEIGHTS)
# EAD shares the search, which is tested for both.
BOTH = pytest.mark.parametrize("cls", [CarliniWagner, EAD])


def margins(classifier, images):
    logits = classifier.predict(images).astype(np.float64)
    return logits[:, 1] - logits[:, 0]


@BOUNDS
def test_the_distance_on_a_linear_model(bounds):
    width = bounds[1] - bounds[0]
    result = CarliniWagner()(linear(-0.6 * width, bounds), middle(bounds, n=2), np.zeros(2, int))
    assert result.success.all()
    np.testing.assert_allclose(result.distances, 0.6 * width / DUAL, rtol=5e-3)
    assert (result.distances > 0.6 * width / DUAL).all()


def test_the_distance_where_the_bounds_bind():
    """From pixels at and near their bounds, to the optimum that FMN finds too; its tests compare it with SciPy."""
    x = np.random.default_rng(0).choice([0, 0.1, 0.5, 0.9, 1], size=(12, *SHAPE)).astype(np.float32)
    x = x[x.reshape(12, -1) @ WEIGHTS - WEIGHTS.sum() / 2 < 2.0]
    classifier, y = linear(-2.0), np.zeros(len(x), int)
    result, other = CarliniWagner()(classifier, x, y), FMN(norm="l2", steps=300)(classifier, x, y)
    assert result.success.all()
    np.testing.assert_allclose(result.distances, other.distances, rtol=0.02)


def test_one_step_is_one_of_adam():
    """Adam's first step is the rate times the sign, whatever the gradient: w goes from 0 to +-.3."""
    attack = CarliniWagner(learning_rate=0.3, initial_const=5.0)
    state = attack.initial_variables(middle(n=1), (0.0, 1.0))
    np.testing.assert_array_equal(state["modifier"], 0.0)
    move = attack.make_move(linear(-0.6))
    variables = [tf.constant(state[name]) for name in attack.VARIABLES]
    arguments = tf.constant(middle(n=1)), tf.constant([0], tf.int64), tf.constant([5.0]), tf.constant(0.0)
    new = move(*arguments, *variables, *map(np.float32, attack.schedule(0)))
    np.testing.assert_allclose(new.variables["modifier"].numpy().ravel(), 0.3 * np.sign(WEIGHTS), rtol=1e-5)
    np.testing.assert_allclose(new.cost, 5 * 0.6, rtol=1e-6)
    new = move(*arguments, *(new.variables[name] for name in attack.VARIABLES), *map(np.float32, attack.schedule(1)))
    change = np.tanh(0.3) / 2
    np.testing.assert_allclose(new.candidates.numpy().ravel(), 0.5 + change * np.sign(WEIGHTS), rtol=1e-6)
    np.testing.assert_allclose(new.score, change * SIZE**0.5, rtol=1e-5)
    np.testing.assert_allclose(new.cost, 5 * max(0.6 - change * np.abs(WEIGHTS).sum(), 0) + SIZE * change**2, rtol=1e-5)


def test_the_start_is_the_image():
    for bounds in [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]:
        x = np.linspace(*bounds, SIZE, dtype=np.float32).reshape(1, *SHAPE)
        w = CarliniWagner().initial_variables(x, bounds)["modifier"]
        assert np.abs(w).max() == pytest.approx(7.25, abs=0.01)
        back = bounds[0] + (bounds[1] - bounds[0]) * (np.tanh(w) + 1) / 2
        np.testing.assert_allclose(back, x, atol=1e-6 * (bounds[1] - bounds[0]))


@BOTH
def test_confidence_is_the_margin_of_what_is_found(cls):
    x, y, classifier = middle(n=2), np.zeros(2, int), linear(-0.6)
    plain, sure = cls()(classifier, x, y), cls(confidence=0.4)(classifier, x, y)
    assert (margins(classifier, plain.images) < 1e-3).all()
    np.testing.assert_allclose(margins(classifier, sure.images), 0.4, atol=1e-3)
    np.testing.assert_allclose(sure.distances / plain.distances, 1.0 / 0.6, rtol=0.05)


def test_the_search_for_c():
    inf = np.inf
    lower, upper = np.float32([0.1, 0, 0.1, 2, 1e10]), np.float32([inf, 0.1, 1, 8, inf])
    np.testing.assert_allclose(_next_const(lower, upper), [1, 0.01, 0.1**0.5, 4, 1e10], rtol=1e-6)


@BOTH
def test_more_runs_find_a_c_that_is_large_enough_and_then_a_smaller_one(cls):
    """The image is on a slope so flat that c has to be above 2 |w| / .6."""
    x, y, classifier = middle(n=2), np.zeros(2, int), linear(-0.6, scale=1e-3)
    runs = {r: cls(binary_search_steps=r, initial_const=1e-3)(classifier, x, y) for r in (1, 4, 9)}
    assert not runs[1].success.any()
    np.testing.assert_array_equal(runs[1].images, x)
    assert not runs[4].success.any()
    assert runs[9].success.all()
    twelve = cls(binary_search_steps=12, initial_const=1e-3)(classifier, x, y)
    assert (twelve.distances <= runs[9].distances).all()


@pytest.mark.proof
@BOTH
@pytest.mark.parametrize("scale", [1e-2, 100.0])
def test_the_scale_of_the_logits_hardly_counts(cls, scale):
    x = np.random.default_rng(1).uniform(0.3, 0.7, (8, *SHAPE)).astype(np.float32)
    one, other = (cls()(linear(-2.5, scale=s), x, np.zeros(8, int)) for s in (1.0, scale))
    assert other.success.all()
    np.testing.assert_allclose(one.distances, other.distances, rtol=0.03)


@BOTH
def test_what_no_image_fools_is_returned_unchanged(cls):
    x = middle(n=2)
    result = cls()(linear(-9.0), x, np.zeros(2, int))
    assert not result.success.any()
    assert not result.zero_gradients.any()
    np.testing.assert_array_equal(result.images, x)


@BOTH
def test_zero_gradients_are_reported_and_harmless(cls):
    """Also where the distance has a gradient, as that of C&W has at a pixel near its bound."""
    classifier = function(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], tf.where(x[:, 0, 0, 0] > 0.6, 1.0, -1.0) + 0 * x[:, 1, 0, 0]], 1)
    )
    x = np.full((1, *SHAPE), 0.1, np.float32)
    result = cls()(classifier, x, np.zeros(1, int))
    assert result.zero_gradients.all()
    assert not result.success.any()
    np.testing.assert_array_equal(result.images, x)


@BOTH
def test_targeted_reaches_its_class_and_no_other(cls):
    """Class 1 is near, class 2 farther: logits (0, z - .55, 2 (z - .65)), which passes class 1 at z = .75."""
    classifier = function(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], x[:, 0, 0, 0] - 0.55, 2 * (x[:, 0, 0, 0] - 0.65)], 1), classes=3
    )
    x, y = middle(n=1), np.zeros(1, int)
    assert cls()(classifier, x, y).distances[0] == pytest.approx(0.05, rel=1e-3)
    result = cls(targeted=True)(classifier, x, y, targets=np.array([2]))
    assert result.distances[0] == pytest.approx(0.25, rel=1e-3)
    assert classifier.predict(result.images).argmax() == 2


@BOTH
def test_a_finite_eps_ends_it_after_the_run_that_finds_something_within(cls):
    x, y, classifier = middle(n=2), np.zeros(2, int), linear(-0.6)
    steps = cls().steps
    whole = cls(abort_early=False)(classifier, x, y)
    np.testing.assert_array_equal(whole.gradient_calls, 9 * steps)
    near = cls(eps=2 * whole.distances[0], abort_early=False)(classifier, x, y)
    assert near.success.all()
    assert (near.gradient_calls < 5 * steps).all()
    far = cls(eps=0.9 * 0.6 / (DUAL if cls is CarliniWagner else 3), abort_early=False)(classifier, x, y)
    assert not far.success.any()
    np.testing.assert_array_equal(far.gradient_calls, 9 * steps)
    np.testing.assert_array_equal(far.images, x)


def test_runs_that_stall_end_early():
    x, y, classifier = middle(n=2), np.zeros(2, int), linear(-0.6)
    early, whole = (CarliniWagner(abort_early=a)(classifier, x, y) for a in (True, False))
    assert (early.gradient_calls < 0.7 * whole.gradient_calls).all()
    np.testing.assert_allclose(early.distances, whole.distances, rtol=1e-3)


@BOTH
def test_it_starts_where_it_is_told(cls):
    """Two valleys: the gradient leads to the far one, a start in the near one stays there."""
    classifier = function(
        lambda x: tf.stack(
            [0 * x[:, 0, 0, 0], tf.maximum(0.1 - 10 * (x[:, 0, 0, 0] - 0.2), x[:, 0, 0, 0] - 0.9) + 0 * x[:, 1, 0, 0]],
            1,
        )
    )
    x, y = np.full((1, *SHAPE), 0.45, np.float32), np.zeros(1, int)
    start = x.copy()
    start[0, 0, 0, 0] = 0.1
    assert cls()(classifier, x, y).distances[0] == pytest.approx(0.45, rel=1e-2)
    assert cls()(classifier, x, y, start=start).distances[0] == pytest.approx(0.24, rel=1e-2)


@pytest.mark.proof
@pytest.mark.parametrize("cls", [CarliniWagner, EAD, FMN])
def test_what_is_found_with_gradients_in_half_precision_holds_in_float32(cls):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(4)]
    exact = Classifier.from_keras(keras.Sequential([keras.Input((6, 6, 1)), *layers]))
    rough = exact.accelerated(precision="bfloat16")
    assert not rough.exact_gradients
    x = np.random.default_rng(0).uniform(size=(40, 6, 6, 1)).astype(np.float32)
    y = exact.predict(x).argmax(1)
    one, other = (cls(norm=cls.NORMS[-1])(classifier, x, y) for classifier in (exact, rough))
    assert one.success.all()
    assert other.success.all()
    assert (exact.predict(other.images).argmax(1) != y).all()
    np.testing.assert_allclose(other.distances.mean(), one.distances.mean(), rtol=0.05)


@BOTH
def test_bad_arguments_are_refused(cls):
    for name in ("learning_rate", "binary_search_steps", "initial_const"):
        with pytest.raises(UserError, match=name):
            cls(**{name: 0})
    for value in (-0.1, np.inf, np.nan):
        with pytest.raises(UserError, match="confidence"):
            cls(confidence=value)
