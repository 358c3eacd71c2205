"""Auto-PGD: its schedule, its optimum on linear models, and the effects of its step size and momentum."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import APGD, APGDT, PGD
from tfinv.attacks.apgd import checkpoints, ranked_targets
from tfinv.attacks.apgd_step import halve_steps
from tfinv.attacks.problem import Problem
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE, SIZE = (2, 3, 1), 6
WEIGHTS = np.float32([[0.5, -1, 2, -0.25, 0.125, -3], [1, 1, -2, 0.5, 0.5, 0.25], [-2, 0.5, 0.5, 1, -1, 1]]).T


def linear(offsets, bounds=(0.0, 1.0)):
    """Logits w_k (x - middle) + offset_k, of class 0 without weights."""
    matrix = np.concatenate([np.zeros((SIZE, 1), np.float32), WEIGHTS[:, : len(offsets) - 1]], 1)
    middle = sum(bounds) / 2
    return Classifier.from_callable(
        lambda x: tf.reshape(x - middle, [-1, SIZE]) @ matrix + np.float32(offsets),
        input_shape=SHAPE,
        num_classes=len(offsets),
        outputs="logits",
        bounds=bounds,
    )


def test_checkpoints_are_those_of_the_paper():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(10) == [3, 5, 6, 7, 8, 9]
    assert checkpoints(1) == []


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("loss", "bounds"),
    [
        *((loss, (0.0, 1.0)) for loss in ("log_odds", "margin", "dlr")),
        *(("log_odds", bounds) for bounds in [(0.0, 255.0), (-1.0, 1.0)]),  # a loss sees logits, and no bounds
    ],
)
def test_a_linear_model_loses_eps_times_the_dual_norm(norm, loss, bounds):
    width = bounds[1] - bounds[0]
    classifier = linear([9 * width, 0], bounds)
    x, y = np.full((3, *SHAPE), sum(bounds) / 2, np.float32), np.zeros(3, int)
    result = APGD(eps=0.1 * width, norm=norm, loss=loss, steps=50)(classifier, x, y)
    dual = np.abs(WEIGHTS[:, 0]).sum() if norm == "linf" else np.linalg.norm(WEIGHTS[:, 0])
    logits = classifier.predict(result.images).astype(np.float64)
    np.testing.assert_allclose(logits[:, 1], 0.1 * width * dual, rtol=1e-3)
    assert not result.success.any()
    assert not result.zero_gradients.any()
    assert (result.gradient_calls == 51).all()


def test_the_step_size_lets_it_reach_a_narrow_maximum():
    """A ridge of width .002, of which the fixed steps of PGD (.0125) find the slopes."""

    def fn(x):
        z = x[:, 0, 0, 0]
        return tf.stack([0 * z, 1e-3 - tf.abs(z - 0.5637) - tf.abs(x[:, 1, 0, 0] - 0.4821)], 1)

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits")
    x, y = np.full((20, *SHAPE), 0.5, np.float32), np.zeros(20, int)
    assert APGD(eps=0.1, loss="margin")(classifier, x, y).success.mean() > 0.9
    assert PGD(eps=0.1, steps=20)(classifier, x, y).success.mean() < 0.2


def test_a_checkpoint_halves_the_steps_of_what_stands_still():
    def images(value):
        return np.full((4, 1, 1, 1), value, np.float32)

    state = {
        "rises": np.float32([15, 17, 17, 17]),  # .75 of 22 steps is 16.5
        "halved": np.array([False, False, True, False]),
        "best_value": np.float32([2, 1, 1, 2]),
        "checked_value": np.float32([1, 1, 1, 1]),
        "size": np.float32([8, 8, 8, 8]),
        "current": images(1),
        "best": images(2),
        "gradient": images(3),
        "best_gradient": images(4),
    }
    halve_steps(state, np.arange(4), 22)
    np.testing.assert_array_equal(state["size"], [4, 4, 8, 8])
    np.testing.assert_array_equal(state["halved"], [True, True, False, False])
    np.testing.assert_array_equal(state["current"].ravel(), [2, 2, 1, 1])
    np.testing.assert_array_equal(state["gradient"].ravel(), [4, 4, 3, 3])
    np.testing.assert_array_equal(state["rises"], 0)
    np.testing.assert_array_equal(state["checked_value"], [2, 1, 1, 2])


def test_targets_are_the_other_classes_in_order():
    classifier = linear([5, 1, 3, 2])
    x = np.full((2, *SHAPE), 0.5, np.float32)

    def targets(number, labels):
        return list(ranked_targets(Problem(classifier, x, labels, labels, np.arange(2), 0, 2, number), 9))

    assert [targets(r, np.array([0, 2])) for r in range(4)] == [[2, 0], [3, 3], [1, 1], [2, 0]]


def test_targets_find_what_the_nearest_class_hides():
    """Class 1 is the likeliest other and out of reach; class 2 is within reach of eps."""
    flat = np.zeros((SIZE, 4), np.float32)
    flat[:, 2] = WEIGHTS[:, 0]
    offsets = np.float32([0, -0.01, -0.5, -3])

    def fn(x):
        return tf.reshape(x - 0.5, [-1, SIZE]) @ flat + offsets

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=4, outputs="logits")
    x, y = np.full((5, *SHAPE), 0.5, np.float32), np.zeros(5, int)
    eps = 0.6 / np.abs(WEIGHTS[:, 0]).sum()
    result = APGDT(eps=eps, steps=10)(classifier, x, y)
    assert result.success.all()
    assert (classifier.predict(result.images).argmax(1) == 2).all()
    assert (result.gradient_calls > 11).all()  # the first target took a whole run in vain
    assert not APGDT(eps=eps, steps=10, n_targets=1)(classifier, x, y).success.any()
    assert not APGDT(eps=0.8 * eps, steps=10)(classifier, x, y).success.any()


def test_it_may_start_from_given_images():
    classifier = linear([9, 0])
    x, y = np.full((3, *SHAPE), 0.5, np.float32), np.zeros(3, int)
    attack = APGD(eps=0.1, norm="l2", steps=1)
    first, second = (attack(classifier, x, y, start=x, seed=seed).images for seed in (0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, attack(classifier, x, y).images)


@pytest.mark.parametrize("attack", [APGD(eps=0.2, steps=20), APGDT(eps=0.2, steps=20, n_targets=1)])
def test_without_an_early_stop_it_takes_all_steps_and_ends_at_its_best(attack):
    classifier = linear([0.1, 0, -9])
    x, y = np.full((3, *SHAPE), 0.5, np.float32), np.zeros(3, int)
    short, whole = (dataclasses.replace(attack, early_stop=e)(classifier, x, y) for e in (True, False))
    assert short.success.all()
    assert (short.gradient_calls < 21).all()
    np.testing.assert_array_equal(whole.gradient_calls, 21)
    margins = np.diff(classifier.predict(whole.images)[:, :2])[:, 0]
    np.testing.assert_allclose(margins, 0.2 * np.abs(WEIGHTS[:, 0]).sum() - 0.1, rtol=1e-3)


def test_a_first_gradient_that_is_not_a_number_counts_as_zero():
    def fn(x):
        z = tf.reduce_sum(x, [1, 2, 3])
        # The root's slope at 0 is infinite, and times zero not a number.
        return tf.stack([tf.ones_like(z), tf.sqrt(tf.maximum(0 * z, 0.0))], 1)

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits")
    x, y = np.full((2, *SHAPE), 0.5, np.float32), np.zeros(2, int)
    assert APGD(eps=0.1, steps=3)(classifier, x, y).zero_gradients.all()


def test_the_targeted_one_refuses_a_loss_that_it_would_ignore():
    with pytest.raises(UserError, match=r"apgdt without a loss.*Received: 'dlr'.*or take apgd"):
        APGDT(loss="dlr")
