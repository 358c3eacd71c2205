import math

import dp_accounting
import keras
import numpy as np
import pytest
import tensorflow as tf
from dp_accounting import pld, rdp
from scipy import optimize, stats

from stripes import small_net, stripes
from tfinv import models
from tfinv.errors import UserError
from tfinv.training.base import Plan, cross_entropy
from tfinv.training.dp_sgd import DPSGD, clipped_sum
from tfinv.training.fit import fit
from tfinv.training.privacy import guarantee

DATA = stripes(16)
X, Y, ONES = tf.constant(DATA.images), tf.constant(DATA.labels), tf.ones([16])
DEFAULT = DPSGD()
LACKING = tf.constant([1.0] * 7 + [0.0] + [1.0] * 8)


def make(defence=DEFAULT, batch_size=16, epochs=1):
    return defence.training(Plan(small_net(DATA), DATA, epochs, batch_size))


def test_each_example_has_its_own_gradient():
    training = make()
    training.compile()
    gradients, losses, logits = training.gradients(X, Y)
    for row in (0, 5):
        with tf.GradientTape() as tape:
            loss = cross_entropy(Y[row : row + 1], training.classifier(X[row : row + 1]))
        for expected, gradient in zip(tape.gradient(loss, training.trained_variables), gradients, strict=True):
            np.testing.assert_allclose(gradient[row], expected, atol=1e-6)
        assert float(losses[row]) == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(logits, training.classifier(X), atol=1e-5)


def test_long_gradients_are_cut_over_all_variables_and_short_ones_left():
    weight, bias = tf.constant([[[3.0], [0.0]], [[0.1], [0.0]]]), tf.constant([[4.0], [0.2]])
    (weight_sum, bias_sum), norms = clipped_sum([weight, bias], 1.0)
    np.testing.assert_allclose(norms, [5.0, math.sqrt(0.05)], rtol=1e-6)
    np.testing.assert_allclose(weight_sum, [[0.6 + 0.1], [0.0]], rtol=1e-6)
    np.testing.assert_allclose(bias_sum, [0.8 + 0.2], rtol=1e-6)


def test_a_step_without_noise_is_the_sum_of_the_clipped_gradients_over_the_expected_size():
    training = make(DPSGD(clip=0.05, noise=0.0), batch_size=4)
    training.compile(keras.optimizers.SGD(1.0))
    gradients, _, _ = training.gradients(X, Y)
    sums, norms = clipped_sum(gradients, 0.05)
    assert (norms.numpy() > 0.05).any()
    before = [np.array(v) for v in training.trained_variables]
    training.train_step((X, Y, ONES))
    for new, old, total in zip(training.trained_variables, before, sums, strict=True):
        np.testing.assert_allclose(new, old - total / 4, atol=1e-6)


def test_padding_adds_nothing():
    """Neither to the weights nor to loss, accuracy and the share of the clipped, whatever stands in it."""
    outcomes = []
    for images, labels, weights in (
        (X[:5], Y[:5], ONES[:5]),
        (tf.concat([X[:5], 50 * X[:3]], 0), tf.concat([Y[:5], 1 - Y[:3]], 0), tf.constant([1.0] * 5 + [0.0] * 3)),
    ):
        training = make(DPSGD(clip=0.3, noise=0.0), batch_size=4)
        training.compile(keras.optimizers.SGD(1.0))
        logs = training.train_step((images, labels, weights))
        outcomes.append([*map(np.array, training.trained_variables), *(float(v) for v in logs.values())])
    for padded, bare in zip(*outcomes, strict=True):
        np.testing.assert_allclose(padded, bare, rtol=1e-5, atol=1e-7)


def test_an_empty_batch_is_noise_alone():
    training = make(DPSGD(clip=0.5, noise=2.0), batch_size=4)
    training.compile(keras.optimizers.SGD(1.0))
    before = [np.array(v) for v in training.trained_variables]
    noises = training.noises([tf.zeros(v.shape) for v in training.trained_variables])
    logs = training.train_step((X[:2], Y[:2], tf.zeros([2])))
    for new, old, noise in zip(training.trained_variables, before, noises, strict=True):
        np.testing.assert_allclose(new, old - noise / 4, atol=1e-6)
    assert all(np.isfinite(float(v)) for v in logs.values())


def test_one_example_more_or_less_moves_the_sum_by_the_clip_at_most():
    """The sensitivity that epsilon rests on, on a network whose gradients are all longer than the clip."""
    training = make(DPSGD(clip=0.01, noise=0.0), batch_size=1)
    training.compile(keras.optimizers.SGD(1.0))
    gradients, _, _ = training.gradients(X, Y)
    (everyone, norms), (fewer, _) = (clipped_sum(gradients, 0.01, ONES), clipped_sum(gradients, 0.01, LACKING))
    assert (norms.numpy() > 0.01).all()
    moved = math.sqrt(sum(float(tf.reduce_sum((a - b) ** 2)) for a, b in zip(everyone, fewer, strict=True)))
    assert moved == pytest.approx(0.01, rel=1e-4)


def test_the_noise_has_the_scale_of_the_clip_and_is_new_each_step():
    training = make(DPSGD(clip=0.5, noise=4.0))
    training.compile()
    gradients = [tf.zeros([100, 200]), tf.zeros([7])]
    first = training.noises(gradients)
    assert [t.shape for t in first] == [t.shape for t in gradients]
    assert np.std(first[0]) == pytest.approx(2.0, rel=0.03)
    assert np.mean(first[0]) == pytest.approx(0.0, abs=0.06)
    training.optimizer.iterations.assign_add(1)
    assert not np.allclose(first[0], training.noises(gradients)[0])


def test_batch_normalisation_is_refused_nested_too_unless_it_is_frozen():
    network = models.resnet((8, 8, 1), 2, depth=8, width=4)
    nested = keras.Sequential([keras.Input((8, 8, 1)), network])
    for classifier in (network, nested):
        with pytest.raises(UserError, match=r"batch normalisation .* or freeze them"):
            DPSGD().training(Plan(classifier, DATA))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    statistics = [np.array(v) for v in network.non_trainable_variables]
    training = DPSGD().training(Plan(nested, DATA, batch_size=16))
    training.compile(keras.optimizers.SGD(0.1))
    training.train_step((X, Y, ONES))
    for new, old in zip(network.non_trainable_variables, statistics, strict=True):
        np.testing.assert_array_equal(new, old)


def test_shuffled_batches_are_refused():
    training = make()
    training.compile()
    with pytest.raises(UserError, match=r"Poisson sampling.*Train with tfinv.training.fit.fit"):
        training.fit(DATA.images, DATA.labels, epochs=1, verbose=0)
    fit(training, DATA, epochs=1, batch_size=16)  # the advice


@pytest.mark.parametrize(
    ("epochs", "batch_size", "images", "message"),
    [(1, 8, 16, "4 batch size"), (3, 4, 16, "at most 2 epochs"), (1, 4, 12, "16 images")],
)
def test_a_training_that_epsilon_is_not_stated_for_is_refused(epochs, batch_size, images, message):
    training = make(batch_size=4, epochs=2)
    training.compile()
    with pytest.raises(UserError, match=message):
        fit(training, DATA.take(images), epochs=epochs, batch_size=batch_size)


def test_a_second_training_is_refused_since_epsilon_is_of_one():
    training = make(batch_size=4, epochs=2)
    training.compile()
    fit(training, DATA, epochs=2, batch_size=4)
    with pytest.raises(UserError, match=r"0 earlier steps. Received: 8"):
        fit(training, DATA, epochs=2, batch_size=4)


# Noise, probability, steps: epsilon at delta 1e-5 by the PLD accountant with its default grid, as measured independently.
MEASURED = [(1.1, 64 / 4000, 124, 0.976), (1.1, 256 / 60_000, 14_040, 2.38), (0.5, 128 / 4000, 310, 20.9)]


@pytest.mark.parametrize(("noise", "probability", "steps", "epsilon"), MEASURED)
def test_epsilon_is_that_of_privacy_loss_distributions(noise, probability, steps, epsilon):
    assert guarantee(noise, probability, steps, 1e-5).epsilon == pytest.approx(epsilon, rel=0.005)


def test_epsilon_is_what_dp_accounting_says_of_poisson_batches():
    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    event = dp_accounting.PoissonSampledDpEvent(0.25, dp_accounting.GaussianDpEvent(2.0))
    accountant.compose(dp_accounting.SelfComposedDpEvent(event, 12))
    assert guarantee(2.0, 0.25, 12, 1e-3).epsilon == pytest.approx(accountant.get_epsilon(1e-3), rel=1e-9)


def test_epsilon_with_every_example_in_every_batch_is_that_of_one_gaussian():
    """Whose delta is known (Balle and Wang 2018, theorem 8); never below it, little above, also where noise is tiny."""
    for noise, steps in ((10.0, 100), (1.0, 1), (0.05, 20), (1e-3, 3)):
        sigma = noise / math.sqrt(steps)

        def log_delta(e, sigma=sigma):
            first = stats.norm.logcdf(0.5 / sigma - e * sigma)
            second = e + stats.norm.logcdf(-0.5 / sigma - e * sigma)
            return first + math.log1p(-math.exp(min(second - first, -1e-300)))

        high = 0.5 / sigma**2 + 10 / sigma
        exact = optimize.brentq(lambda e: log_delta(e) - math.log(1e-5), 1e-3, high)
        assert exact * (1 - 1e-6) <= guarantee(noise, 1.0, steps, 1e-5).epsilon < 1.01 * exact


def test_epsilon_of_the_renyi_accountant_is_no_smaller():
    accountant = rdp.RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    event = dp_accounting.PoissonSampledDpEvent(0.05, dp_accounting.GaussianDpEvent(1.5))
    accountant.compose(dp_accounting.SelfComposedDpEvent(event, 200))
    epsilon = guarantee(1.5, 0.05, 200, 1e-5).epsilon
    assert 0.8 * accountant.get_epsilon(1e-5) < epsilon < accountant.get_epsilon(1e-5)


def test_costs_say_what_epsilon_is_stated_for():
    plan = Plan(small_net(DATA), DATA, epochs=3, batch_size=4)
    epsilon, delta = DPSGD(noise=2.0, delta=1e-3).costs(plan)
    assert epsilon == {
        "metric": "epsilon",
        "value": guarantee(2.0, 0.25, 12, 1e-3).epsilon,
        "delta": 1e-3,
        "sampling": "Poisson",
        "relation": "add or remove one example",
        "accountant": "PLD (dp-accounting)",
    }
    assert delta == {"metric": "delta", "value": 1e-3}
    assert DPSGD(noise=0.0).costs(plan) == []
