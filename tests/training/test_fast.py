"""Training with one gradient step: where it starts, how far it goes, and where it is cut."""

import numpy as np
import pytest
import tensorflow as tf

from linear_net import AWAY, TWO, linear_net
from tfinv.training.fast import NFGSM, Fast, FastTraining, NFGSMTraining
from tfinv.training.perturbing import uniform_noise

IMAGES, LABELS = tf.fill([64, 2, 2, 1], 0.5), tf.constant([0, 1] * 32)
# Raising the loss of class 0 raises class 1, and the other way round.
SIGNS = np.where(np.arange(64)[:, None] % 2, -1.0, 1.0)


def perturbation(training, images=IMAGES, step=0):
    training.compile()
    training.optimizer.iterations.assign(step)
    (perturbed,) = training.prepare(images, LABELS)
    return perturbed.numpy().reshape(64, 4) - images.numpy().reshape(64, 4)


def start_noise(training, radius, norm="linf"):
    return uniform_noise(IMAGES, radius, norm, training.step_seed()).numpy().reshape(64, 4)


def test_fast_steps_by_more_than_eps_and_is_cut_back():
    training = FastTraining(linear_net(TWO), Fast(eps=0.1), seed=3)
    delta = perturbation(training)
    start = start_noise(training, 0.1)
    np.testing.assert_allclose(delta, np.clip(start + 0.125 * SIGNS * np.sign(AWAY), -0.1, 0.1), atol=1e-6)
    # From the far side a step of 1.25 eps stays short of eps, so not all of them end in a corner.
    assert 0.5 < np.mean(np.isclose(np.abs(delta), 0.1, atol=1e-6)) < 0.8


def test_fast_in_l2():
    training = FastTraining(linear_net(TWO), Fast(eps=0.2, norm="l2"), seed=3)
    delta = perturbation(training)
    expected = start_noise(training, 0.2, "l2") + 0.25 * SIGNS * AWAY / np.linalg.norm(AWAY)
    expected *= np.minimum(1.0, 0.2 / np.linalg.norm(expected, axis=1, keepdims=True))
    np.testing.assert_allclose(delta, expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nfgsm_leaves_the_ball(norm):
    training = NFGSMTraining(linear_net(TWO), NFGSM(eps=0.1, norm=norm), seed=3)
    delta = perturbation(training)
    direction = np.sign(AWAY) if norm == "linf" else AWAY / np.linalg.norm(AWAY)
    np.testing.assert_allclose(delta, start_noise(training, 0.2, norm) + 0.1 * SIGNS * direction, atol=1e-6)
    length = np.abs(delta).max(1) if norm == "linf" else np.linalg.norm(delta, axis=1)
    assert 0.2 < length.max() <= 0.3


def test_nfgsm_stays_in_the_bounds():
    training = NFGSMTraining(linear_net(TWO), NFGSM(eps=0.4, noise=1.5, step_size=0.2), seed=3)
    images = perturbation(training) + 0.5
    start = np.clip(0.5 + start_noise(training, 0.6), 0, 1)
    np.testing.assert_allclose(images, np.clip(start + 0.2 * SIGNS * np.sign(AWAY), 0, 1), atol=1e-6)
    assert (images.min(), images.max()) == (0.0, 1.0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_and_step_rise_with_eps(norm):
    options = {"steps": 100, "seed": 3}
    order = np.inf if norm == "linf" else 2
    for training in (
        FastTraining(linear_net(TWO), Fast(eps=0.1, ramp=0.5, norm=norm), **options),
        NFGSMTraining(linear_net(TWO), NFGSM(eps=0.1, ramp=0.5, norm=norm), **options),
    ):
        none, half, whole = (
            np.linalg.norm(perturbation(training, step=step), order, axis=1).max() for step in (0, 25, 100)
        )
        assert none == 0.0
        assert half == pytest.approx(0.5 * whole, rel=0.05)
