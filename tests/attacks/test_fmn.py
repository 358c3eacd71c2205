"""FMN where the smallest perturbation is known, and against PGD where it is not."""

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from linear_model import BOUNDS, SHAPE, SIZE, WEIGHTS, function, linear, middle
from tfinv import threat
from tfinv.attacks import FMN, PGD
from tfinv.classifier import Classifier
from tfinv.errors import UserError

NORM = pytest.mark.parametrize("norm", threat.NORMS)


def of_pixel(margin, value=0.5):
    """Label 0, a margin of the first pixel, and one image."""
    classifier = function(lambda x: tf.stack([0 * x[:, 0, 0, 0], margin(x[:, 0, 0, 0]) + 0 * x[:, 1, 0, 0]], 1))
    return classifier, np.full((1, *SHAPE), value, np.float32), np.zeros(1, int)


def smallest(image, offset, norm):
    """The least distance at which the linear margin is 0, within [0, 1]; by SciPy."""
    point, below, above = image.ravel().astype(float), -image.ravel().astype(float), 1 - image.ravel().astype(float)
    value = WEIGHTS @ (point - 0.5) + offset
    if norm == "l2":
        return np.linalg.norm(_sloped(value, below, above))
    one = np.ones((SIZE, 1)) if norm == "linf" else np.eye(SIZE)
    limits = np.block([[np.eye(SIZE), -one], [-np.eye(SIZE), -one]])
    cost = np.r_[np.zeros(SIZE), np.ones(one.shape[1])]
    boxes = [*np.stack([below, above], 1), *[(0, None)] * one.shape[1]]
    return scipy.optimize.linprog(
        cost, limits, np.zeros(2 * SIZE), np.r_[WEIGHTS, np.zeros(one.shape[1])][None], [-value], boxes
    ).fun


def _sloped(value, below, above):
    s = scipy.optimize.brentq(lambda s: value + WEIGHTS @ np.clip(s * WEIGHTS, below, above), 0, 100, xtol=1e-14)
    return np.clip(s * WEIGHTS, below, above)


@NORM
@BOUNDS
def test_the_distance_on_a_linear_model(norm, bounds):
    """|margin| over the dual norm of the weights."""
    width = bounds[1] - bounds[0]
    result = FMN(norm=norm)(linear(-0.6 * width, bounds), middle(bounds), np.zeros(3, int))
    dual = {"linf": np.abs(WEIGHTS).sum(), "l2": np.linalg.norm(WEIGHTS), "l1": 3.0}[norm]
    assert result.success.all()
    np.testing.assert_allclose(result.distances, 0.6 * width / dual, rtol=2e-2 if norm == "l1" else 1e-3)
    assert (result.distances > 0.6 * width / dual).all()


@NORM
def test_the_distance_where_the_bounds_bind(norm):
    images = np.random.default_rng(0).choice([0, 0.1, 0.5, 0.9, 1], size=(20, *SHAPE)).astype(np.float32)
    right = images.reshape(20, -1) @ WEIGHTS - WEIGHTS.sum() / 2 < 2.0
    images = images[right]
    assert len(images) > 10
    result = FMN(norm=norm)(linear(-2.0), images, np.zeros(len(images), int))
    best = np.array([smallest(image, -2.0, norm) for image in images])
    assert result.success.all()
    assert (result.distances >= best * (1 - 1e-6)).all()
    np.testing.assert_allclose(result.distances, best, rtol=0.03)


def test_a_corner_that_can_only_just_be_reached():
    """Every pixel has to move all the way to its bound, but for a thousandth."""
    image = np.float32(WEIGHTS < 0).reshape(1, *SHAPE)
    offset = -np.abs(WEIGHTS).sum() / 2 * (1 - 1e-3)
    for norm in threat.NORMS:
        result = FMN(norm=norm)(linear(offset), image, np.zeros(1, int))
        assert result.success.all()
        assert result.distances[0] == pytest.approx({"linf": 1, "l2": SIZE**0.5, "l1": SIZE}[norm], rel=1e-2)


@NORM
def test_what_no_image_fools_is_returned_unchanged(norm):
    x = middle()
    result = FMN(norm=norm)(linear(-9.0), x, np.zeros(3, int))
    assert not result.success.any()
    assert not result.zero_gradients.any()
    np.testing.assert_array_equal(result.images, x)
    np.testing.assert_array_equal(result.gradient_calls, 100)


@NORM
def test_zero_gradients_are_reported_and_harmless(norm):
    classifier, x, y = of_pixel(lambda z: tf.where(z > 0.6, 1.0, -1.0))
    result = FMN(norm=norm)(classifier, x, y)
    assert result.zero_gradients.all()
    assert not result.success.any()
    np.testing.assert_array_equal(result.images, x)


@NORM
@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_the_scale_of_the_logits_does_not_count(norm, scale):
    x = np.random.default_rng(1).uniform(0.3, 0.7, (8, *SHAPE)).astype(np.float32)
    one, other = (FMN(norm=norm)(linear(-2.5, scale=s), x, np.zeros(8, int)) for s in (1.0, scale))
    np.testing.assert_allclose(one.distances, other.distances, rtol=1e-2)


def test_a_boundary_that_bends_away_is_reached():
    """Up to (z - .9)^3 = 0 the linearised boundary is always two thirds of the way short: its distances alone never cross."""
    classifier, x, y = of_pixel(lambda z: 10 * (z - 0.9) ** 3)
    for norm in threat.NORMS:
        result = FMN(norm=norm)(classifier, x, y)
        assert result.success.all()
        assert result.distances[0] == pytest.approx(0.4, rel=0.07)


def test_targeted_reaches_its_class_and_no_other():
    """Class 1 is near, class 2 farther: logits (0, z - .55, 2 (z - .65))."""
    classifier = function(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], x[:, 0, 0, 0] - 0.55, 2 * (x[:, 0, 0, 0] - 0.65)], 1), classes=3
    )
    x, y = middle(n=1), np.zeros(1, int)
    assert FMN()(classifier, x, y).distances[0] == pytest.approx(0.05, rel=1e-3)
    result = FMN(targeted=True)(classifier, x, y, targets=np.array([2]))
    assert result.distances[0] == pytest.approx(0.25, rel=1e-3)  # where it passes class 1
    assert classifier.predict(result.images).argmax() == 2


def test_a_finite_eps_ends_it_early_and_bounds_it():
    x, y = middle(), np.zeros(3, int)
    classifier = linear(-0.6)
    best = 0.6 / np.abs(WEIGHTS).sum()
    near = FMN(eps=1.2 * best)(classifier, x, y)
    assert near.success.all()
    assert (near.gradient_calls <= 6).all()
    assert (near.distances <= 1.2 * best).all()
    assert FMN(eps=1.001 * best)(classifier, x, y).success.all()
    far = FMN(eps=0.999 * best)(classifier, x, y)
    assert not far.success.any()
    np.testing.assert_array_equal(far.images, x)


def test_it_starts_where_it_is_told():
    """Two valleys: the gradient leads to the far one, a start beyond the near boundary finds that."""
    classifier, x, y = of_pixel(lambda z: tf.maximum(0.1 - 10 * (z - 0.2), z - 0.9), 0.45)
    alone = FMN()(classifier, x, y)
    assert alone.distances[0] == pytest.approx(0.45, rel=1e-2)
    led = FMN()(classifier, x, y, start=np.full((1, *SHAPE), 0.1, np.float32))
    assert led.distances[0] == pytest.approx(0.24, rel=1e-2)


def test_bad_rates_are_refused():
    for name in ("alpha_init", "alpha_final", "gamma_init", "gamma_final"):
        with pytest.raises(UserError, match=name):
            FMN(**{name: 0.0})
    with pytest.raises(UserError, match="gamma_init below 1"):
        FMN(gamma_init=1.0)


@NORM
def test_one_run_finds_as_much_as_pgd_at_every_eps(norm):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    classifier = Classifier.from_keras(model)
    x = np.random.default_rng(0).uniform(-0.3, 1.3, (100, 6, 6, 1)).clip(0, 1).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    result = FMN(norm=norm)(classifier, x, y)
    assert result.success.all()
    for eps in np.quantile(result.distances, [0.1, 0.3, 0.5, 0.7, 0.9]):
        rate = PGD(eps=eps, norm=norm, steps=50)(classifier, x, y).success.mean()
        assert (result.distances <= eps).mean() >= rate - 0.02
