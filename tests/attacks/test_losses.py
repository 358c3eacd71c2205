"""Losses against values computed by hand, and the effect of the scale of the logits."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks.losses import LOSSES, targeted_dlr

LOGITS = np.float32([[3, 1, 2, -1], [-5, -4, -9, -6]])
SCALE_FREE = ("margin", "soft_margin", "log_odds", "dlr", "logit")


def value_and_gradient(name, logits, labels):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = LOSSES[name](logits, tf.constant(labels))
    return value.numpy(), tape.gradient(value, logits).numpy()


def test_margin():
    value, gradient = value_and_gradient("margin", LOGITS, [0, 0])
    np.testing.assert_array_equal(value, [-1, 1])
    np.testing.assert_array_equal(gradient, [[-1, 0, 1, 0], [-1, 1, 0, 0]])
    np.testing.assert_array_equal(value_and_gradient("margin", LOGITS, [1, 2])[0], [2, 5])


def test_soft_margin():
    """In the first row max - mean is 3 - 1.25, so s = 1.75 / 16; classes at 2, 1 and -1 compete with the label at 3."""
    s = 1.75 / 16
    value, gradient = value_and_gradient("soft_margin", LOGITS, [0, 0])
    np.testing.assert_allclose(value[0], s * np.log(np.exp(2 / s) + np.exp(1 / s) + np.exp(-1 / s)) - 3, rtol=1e-6)
    shares = np.exp(np.array([1, 2, -1]) / s - 2 / s)
    np.testing.assert_allclose(gradient[0], [-1, *(shares / shares.sum())], rtol=1e-5)
    for scale in (1e-6, 1e6):
        again, direction = value_and_gradient("soft_margin", scale * LOGITS, [0, 0])
        np.testing.assert_allclose(again, scale * value, rtol=1e-5)
        np.testing.assert_allclose(direction, gradient, rtol=1e-4)
    two_classes = value_and_gradient("soft_margin", LOGITS[:, :2], [0, 1])
    for soft, hard in zip(two_classes, value_and_gradient("margin", LOGITS[:, :2], [0, 1]), strict=True):
        np.testing.assert_allclose(soft, hard, rtol=1e-6)
    level = value_and_gradient("soft_margin", np.zeros((1, 4), np.float32), [2])
    assert np.isfinite(level[0]).all()
    np.testing.assert_allclose(level[1], [[1 / 3, 1 / 3, -1, 1 / 3]], rtol=1e-6)


@pytest.mark.parametrize("classes", [10, 11, 1000])
def test_soft_margin_looks_at_ten_classes_however_many_there_are(classes):
    """Classes far below the likeliest ten change nothing: neither the value nor the shares of the others."""
    near = np.float32([[4, 3.9, 3, 2, 1, 0.5, 0.4, 0.3, 0.2, 0.1]])
    logits = np.concatenate([near, np.full((1, classes - 10), -50, np.float32)], 1)
    value, gradient = value_and_gradient("soft_margin", logits, [0])
    s = (4 - near.mean()) / 16
    np.testing.assert_allclose(value, s * np.log(np.exp(near[0, 1:] / s).sum()) - 4, rtol=1e-4)
    shares = np.exp((near[0, 1:] - 3.9) / s)
    np.testing.assert_allclose(gradient[0, :10], [-1, *(shares / shares.sum())], rtol=1e-4, atol=1e-12)
    assert not gradient[0, 10:].any()


def test_logit():
    value, gradient = value_and_gradient("logit", LOGITS, [0, 2])
    np.testing.assert_array_equal(value, [-3, 9])
    np.testing.assert_array_equal(gradient, [[-1, 0, 0, 0], [0, 0, -1, 0]])


def test_dlr():
    np.testing.assert_allclose(value_and_gradient("dlr", LOGITS, [0, 0])[0], [-1 / 2, 1 / 2], rtol=1e-6)
    # One class behind the label: (z_y - z_other) / (z_1 - z_3) with z = 1, 0.
    np.testing.assert_allclose(value_and_gradient("dlr", LOGITS[:, :2], [0, 0])[0], [-2, 1])


def test_targeted_dlr():
    y, t = tf.constant([0, 1]), tf.constant([2, 3])
    # 3, 2, 1, -1: the denominator is 3 - (1 - 1) / 2; -4, -5, -6, -9: -4 + 7.5.
    np.testing.assert_allclose(targeted_dlr(tf.constant(LOGITS), y, t), [-1 / 3, -2 / 3.5], rtol=1e-6)
    np.testing.assert_allclose(targeted_dlr(tf.constant(LOGITS[:1, :3]), y[:1], t[:1]), [-1 / 2], rtol=1e-6)
    np.testing.assert_allclose(targeted_dlr(tf.constant(LOGITS[:1, :2]), y[:1], 1 - y[:1]), [-2])


def test_cross_entropy_and_its_relatives():
    logits = np.log(np.float32([[0.5, 0.25, 0.125, 0.125]]))
    np.testing.assert_allclose(value_and_gradient("cross_entropy", logits, [1])[0], [np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(value_and_gradient("probability", logits, [1])[0], [0.75], rtol=1e-6)
    np.testing.assert_allclose(value_and_gradient("log_odds", logits, [1])[0], [np.log(3)], rtol=1e-6)
    smoothed = 0.925 * np.log(4) + 0.025 * (np.log(2) + 2 * np.log(8))
    np.testing.assert_allclose(value_and_gradient("label_smoothing", logits, [1])[0], [smoothed], rtol=1e-6)


def test_log_odds_has_the_direction_of_cross_entropy_where_that_has_one():
    logits = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    labels = np.arange(50) % 4
    entropy_gradient, odds_gradient = (
        value_and_gradient(name, logits, labels)[1] for name in ("cross_entropy", "log_odds")
    )
    np.testing.assert_allclose(
        entropy_gradient / np.linalg.norm(entropy_gradient, axis=1, keepdims=True),
        odds_gradient / np.linalg.norm(odds_gradient, axis=1, keepdims=True),
        atol=1e-5,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_only_the_losses_on_probabilities_saturate(name):
    gradient = value_and_gradient(name, 1000 * LOGITS, [0, 1])[1]
    assert (np.abs(gradient).max(1) > 1e-4).all() == (name in (*SCALE_FREE, "label_smoothing"))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_rises_as_the_label_falls(name):
    logits = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
    labels = np.arange(20) % 5
    lower = logits.copy()
    lower[np.arange(20), labels] -= 0.5
    before, after = (value_and_gradient(name, z, labels)[0] for z in (logits, lower))
    assert (after >= before).all()
    assert after.mean() > before.mean()
