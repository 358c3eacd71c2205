"""EAD's step by hand, and the sparsity of its results. The tests of C&W cover what the two share."""

import numpy as np
import pytest
import tensorflow as tf

import linear_model
from linear_model import BOUNDS, SHAPE, WEIGHTS
from tfinv import threat
from tfinv.attacks import EAD, FMN, CarliniWagner
from tfinv.classifier import Classifier
from tfinv.errors import UserError


def linear(offset, bounds=(0.0, 1.0)):
    """Returns a classifier with logits (0, w (x - middle) + offset) in units of the width."""
    width = bounds[1] - bounds[0]
    return linear_model.linear(offset * width, bounds, 1 / width)


def shrink(z, beta):
    return np.sign(z) * np.maximum(np.abs(z) - beta, 0)


@BOUNDS
def test_two_steps_by_hand(bounds):
    low, high = bounds
    width, attack, const, beta = high - low, EAD(steps=4, learning_rate=0.1, beta=0.03), 2.0, 0.03
    middle = np.full((1, *SHAPE), (low + high) / 2, np.float32)
    move = attack.make_move(linear(-9.0, bounds))
    arguments = tf.constant(middle), tf.constant([0], tf.int64), tf.constant([const]), tf.constant(0.0)
    variables = [tf.constant(attack.initial_variables(middle, bounds)[name]) for name in attack.VARIABLES]
    first_result = move(*arguments, *variables, *map(np.float32, attack.schedule(0)))
    first = np.clip(shrink(0.1 * const * WEIGHTS.astype(float), beta), -0.5, 0.5)
    assert (first == 0).sum() == 1  # .125
    assert (abs(first) == 0.5).sum() == 1  # 3, which meets the bound
    np.testing.assert_allclose((first_result.candidates - middle).numpy().ravel() / width, first, atol=1e-6)
    np.testing.assert_allclose(
        first_result.variables["slack"], first_result.candidates, atol=1e-6 * width
    )  # no momentum yet
    np.testing.assert_allclose(first_result.cost, const * 9, rtol=1e-6)
    np.testing.assert_allclose(first_result.score, np.abs(first).sum(), rtol=1e-5)
    second_result = move(
        *arguments, *(first_result.variables[name] for name in attack.VARIABLES), *map(np.float32, attack.schedule(1))
    )
    rate = 0.1 * 0.75**0.5
    second = np.clip(shrink(first - rate * (2 * first - const * WEIGHTS), beta), -0.5, 0.5)
    np.testing.assert_allclose((second_result.candidates - middle).numpy().ravel() / width, second, atol=1e-6)
    slack = np.clip(second + (second - first) / 4, -0.5, 0.5)
    np.testing.assert_allclose((second_result.variables["slack"] - middle).numpy().ravel() / width, slack, atol=1e-6)
    elastic = np.square(first).sum() + beta * np.abs(first).sum()
    np.testing.assert_allclose(second_result.cost, const * (9 - WEIGHTS @ first) + elastic, rtol=1e-5)


@BOUNDS
def test_a_linear_model_is_crossed_along_its_steepest_pixels(bounds):
    """The least L1 distance is .6 / 3, all in the last pixel, whose sign is known; the elastic net adds a little of the others."""
    middle = np.full((1, *SHAPE), sum(bounds) / 2, np.float32)
    result = EAD(beta=0.05)(linear(-0.6, bounds), middle, np.zeros(1, int))
    change = (result.images - middle).ravel() / (bounds[1] - bounds[0])
    assert result.success.all()
    assert result.distances[0] == pytest.approx(0.2 * (bounds[1] - bounds[0]), rel=0.12)
    assert result.distances[0] >= 0.2 * (bounds[1] - bounds[0])
    assert change[5] < -0.13
    np.testing.assert_array_equal(change[[3, 4]], 0)


def test_a_pixel_at_its_bound_is_no_help():
    image = np.full((1, *SHAPE), 0.5, np.float32)
    image[0, 1, 2, 0] = 0.0  # the steepest one, which cannot fall: the next best is worth 2
    classifier = linear(-2.1)
    result = EAD(beta=0.05)(classifier, image, np.zeros(1, int))
    assert result.success.all()
    assert result.images[0, 1, 2, 0] == 0.0
    assert result.distances[0] == pytest.approx(0.6 / 2, rel=0.12)


def net(seed=0):
    random = np.random.default_rng(seed)
    into, out = random.normal(size=(36, 24)).astype(np.float32), random.normal(size=(24, 3)).astype(np.float32)
    return Classifier.from_callable(
        lambda x: tf.nn.relu(tf.reshape(x - 0.5, [-1, 36]) @ into) @ out,
        input_shape=(6, 6, 1),
        num_classes=3,
        outputs="logits",
    )


def test_it_is_sparser_than_c_and_w_and_nearly_as_near_as_fmn():
    classifier = net()
    x = np.random.default_rng(1).uniform(size=(40, 6, 6, 1)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    sparse, dense = EAD()(classifier, x, y), CarliniWagner()(classifier, x, y)
    assert sparse.success.all()
    in_l1 = threat.distances(dense.images, x, "l1")
    assert sparse.distances.mean() < 0.8 * in_l1.mean()
    assert (sparse.images == x).mean() > 0.5 > (dense.images == x).mean()
    assert sparse.distances.mean() < 1.15 * FMN(norm="l1")(classifier, x, y).distances.mean()


def test_the_rule_decides_what_is_kept():
    classifier = net()
    x = np.random.default_rng(1).uniform(size=(40, 6, 6, 1)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    images = {rule: EAD(rule=rule)(classifier, x, y).images for rule in ("l1", "en")}
    l1 = {rule: threat.distances(images[rule], x, "l1") for rule in images}
    elastic = {rule: 0.01 * l1[rule] + threat.distances(images[rule], x, "l2") ** 2 for rule in images}
    assert l1["l1"].mean() < 0.95 * l1["en"].mean()
    assert elastic["en"].mean() < 0.95 * elastic["l1"].mean()


def test_bad_arguments_are_refused():
    with pytest.raises(UserError, match="a rule among l1, en"):
        EAD(rule="l2")
    with pytest.raises(UserError, match="beta"):
        EAD(beta=0.0)
    with pytest.raises(UserError, match="norm of EAD among l1"):
        EAD(norm="l2")
