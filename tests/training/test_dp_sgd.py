import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize, stats

from stripes import small_net, stripes
from tfinv import models
from tfinv.errors import UserError
from tfinv.training.base import Plan, cross_entropy
from tfinv.training.dp_sgd import DPSGD, DPSGDTraining, clipped_sum
from tfinv.training.privacy import epsilon

DATA = stripes(16)
X, Y = tf.constant(DATA.images), tf.constant(DATA.labels)


def test_each_example_has_its_own_gradient():
    training = DPSGDTraining(small_net(DATA))
    training.compile()
    each, losses, logits = training.gradients(X, Y)
    for row in (0, 5):
        with tf.GradientTape() as tape:
            loss = cross_entropy(Y[row : row + 1], training.classifier(X[row : row + 1]))
        for one, whole in zip(tape.gradient(loss, training.trained_variables), each, strict=True):
            np.testing.assert_allclose(whole[row], one, atol=1e-6)
        assert float(losses[row]) == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(logits, training.classifier(X), atol=1e-5)


def test_long_gradients_are_cut_over_all_variables_and_short_ones_left():
    weight, bias = tf.constant([[[3.0], [0.0]], [[0.1], [0.0]]]), tf.constant([[4.0], [0.2]])
    (found, last), norms = clipped_sum([weight, bias], 1.0)
    np.testing.assert_allclose(norms, [5.0, math.sqrt(0.05)], rtol=1e-6)
    np.testing.assert_allclose(found, [[0.6 + 0.1], [0.0]], rtol=1e-6)
    np.testing.assert_allclose(last, [0.8 + 0.2], rtol=1e-6)


def test_a_step_without_noise_is_the_mean_of_the_clipped_gradients():
    training = DPSGDTraining(small_net(DATA), DPSGD(clip=0.05, noise=0.0))
    training.compile(keras.optimizers.SGD(1.0))
    each, _, _ = training.gradients(X, Y)
    sums, norms = clipped_sum(each, 0.05)
    assert (norms.numpy() > 0.05).any()
    before = [np.array(v) for v in training.trained_variables]
    training.train_step((X, Y))
    for new, old, total in zip(training.trained_variables, before, sums, strict=True):
        np.testing.assert_allclose(new, old - total / 16, atol=1e-6)


def test_the_noise_has_the_scale_of_the_clip_and_is_new_each_step():
    training = DPSGDTraining(small_net(DATA), DPSGD(clip=0.5, noise=4.0))
    training.compile()
    like = [tf.zeros([100, 200]), tf.zeros([7])]
    first = training.noises(like)
    assert [t.shape for t in first] == [t.shape for t in like]
    assert np.std(first[0]) == pytest.approx(2.0, rel=0.03)
    assert np.mean(first[0]) == pytest.approx(0.0, abs=0.06)
    training.optimizer.iterations.assign_add(1)
    assert not np.allclose(first[0], training.noises(like)[0])


def test_batch_normalisation_is_refused():
    with pytest.raises(UserError, match="batch normalisation"):
        DPSGDTraining(models.resnet((8, 8, 1), 2, depth=8, width=4))


def test_epsilon_lies_between_the_exact_one_and_the_published_bound():
    # Abadi et al. 2016, section 3.2: q = .01, sigma = 4, T = 10,000, delta = 1e-5 gives 1.26; later conversions are tighter.
    assert 1.0 < epsilon(4.0, 0.01, 10_000, 1e-5) < 1.26
    # With every example in every batch it is one Gaussian mechanism, whose delta is known (Balle and Wang 2018, theorem 8).
    sigma = 10.0 / math.sqrt(100)

    def delta(e):
        return stats.norm.cdf(0.5 / sigma - e * sigma) - math.exp(e) * stats.norm.cdf(-0.5 / sigma - e * sigma)

    exact = optimize.brentq(lambda e: delta(e) - 1e-5, 0.1, 20.0)
    assert exact < epsilon(10.0, 1.0, 100, 1e-5) < 1.1 * exact


def test_epsilon_is_what_renyi_divergences_give_by_hand():
    # Without sampling the divergence of order a is a T / (2 sigma^2); Canonne et al. 2020, proposition 12.
    orders = np.arange(2.0, 65.0)
    renyi = orders * 20 / (2 * 6.0**2)
    by_hand = renyi + np.log1p(-1 / orders) - np.log(1e-5 * orders) / (orders - 1)
    assert epsilon(6.0, 1.0, 20, 1e-5) == pytest.approx(by_hand.min(), rel=1e-6)


def test_costs_name_epsilon_and_its_delta():
    plan = Plan(small_net(DATA), DATA, epochs=3, batch_size=4)
    costs = DPSGD(noise=2.0, delta=1e-3).costs(plan)
    assert costs == {"epsilon": epsilon(2.0, 0.25, 12, 1e-3), "delta": 1e-3}
    assert DPSGD(noise=0.0).costs(plan) == {}
