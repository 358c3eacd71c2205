"""TRADES and MART: their losses beside numpy, and the images they are taken at."""

import numpy as np
import pytest
import tensorflow as tf

from linear_net import AWAY, TWO, linear_net
from tfinv.training.mart import Mart, MartTraining, rival_cross_entropy
from tfinv.training.robust import divergence
from tfinv.training.trades import Trades, TradesTraining

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 3, (4, 3))
CLEAN, MOVED = (RNG.uniform(0, 1, (5, 2, 2, 1)).astype(np.float32) for _ in range(2))
LABELS = np.array([0, 1, 2, 0, 1])


def softmax(images):
    odds = np.exp(images.reshape(5, 4) @ KERNEL)
    return odds / odds.sum(1, keepdims=True)


P, Q = softmax(CLEAN), softmax(MOVED)
DIVERGENCE = (P * np.log(P / Q)).sum(1)
ROWS = np.arange(5)


def loss_of(training):
    training.compile()
    loss, logits = training.objective(tf.constant(LABELS), tf.constant(CLEAN), tf.constant(MOVED))
    np.testing.assert_allclose(tf.nn.softmax(logits), Q, atol=1e-5)  # whose accuracy is shown
    return float(loss)


def test_the_divergence_is_that_of_the_definition():
    logits = [tf.constant(np.log(p), tf.float32) for p in (P, Q)]
    np.testing.assert_allclose(divergence(*logits), DIVERGENCE, rtol=1e-4)
    np.testing.assert_allclose(divergence(logits[0], logits[0]), np.zeros(5), atol=1e-6)
    # Of p = (1, 0), exactly in float32, the class without a share counts for nothing.
    sure = divergence(tf.constant([[300.0, 0.0]]), tf.constant([[0.0, 300.0]]))
    np.testing.assert_allclose(sure, [300.0])


def test_the_loss_of_trades():
    expected = -np.mean(np.log(P[ROWS, LABELS])) + 2.5 * np.mean(DIVERGENCE)
    assert loss_of(TradesTraining(linear_net(KERNEL), Trades(beta=2.5))) == pytest.approx(expected, rel=1e-4)


def test_the_loss_of_mart():
    rivals = np.where(np.eye(3)[LABELS] > 0, 0, Q).max(1)
    boosted = -np.log(Q[ROWS, LABELS]) - np.log(1 - rivals)
    expected = np.mean(boosted) + 2.5 * np.mean(DIVERGENCE * (1 - P[ROWS, LABELS]))
    assert loss_of(MartTraining(linear_net(KERNEL), Mart(weight=2.5))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "make",
    [lambda net: TradesTraining(net, Trades(beta=2.5)), lambda net: MartTraining(net, Mart(weight=2.5))],
    ids=["trades", "mart"],
)
def test_the_gradient_is_that_of_the_whole_loss(make):
    """Of both predictions, clean and perturbed, and of MART's weights too: nothing is held constant, as in the authors' code."""
    training = make(linear_net(KERNEL))
    training.compile()
    (kernel,) = training.classifier.trainable_variables

    def loss():
        return training.objective(tf.constant(LABELS), tf.constant(CLEAN), tf.constant(MOVED))[0]

    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, kernel).numpy()
    rng, start, step = np.random.default_rng(1), kernel.numpy(), 0.01
    for _ in range(6):
        direction = rng.normal(size=start.shape).astype(np.float32)
        kernel.assign(start + step * direction)
        forward = float(loss())
        kernel.assign(start - step * direction)
        assert (forward - float(loss())) / (2 * step) == pytest.approx(np.sum(gradient * direction), rel=0.01, abs=0.01)


def test_label_smoothing_is_of_the_cross_entropy_alone():
    for make, probability in (
        (lambda: TradesTraining(linear_net(KERNEL), Trades(beta=2.5)), P),
        (lambda: MartTraining(linear_net(KERNEL), Mart(weight=2.5)), Q),
    ):
        plain, smooth = make(), make()
        smooth.label_smoothing = 0.3
        targets = 0.7 * np.eye(3)[LABELS] + 0.1
        difference = -np.mean(((targets - np.eye(3)[LABELS]) * np.log(probability)).sum(1))
        assert loss_of(smooth) - loss_of(plain) == pytest.approx(difference, rel=1e-3)


def test_the_rivals_term_is_finite_where_its_probability_rounds_to_one():
    logits = tf.Variable([[0.0, 200.0, 0.0], [3.0, 2.0, 1.0]])
    with tf.GradientTape() as tape:
        losses = rival_cross_entropy(logits, tf.constant([0, 0]))
    p = np.exp([3.0, 2.0, 1.0]) / np.exp([3.0, 2.0, 1.0]).sum()
    np.testing.assert_allclose(losses, [200 - np.log(2), -np.log(1 - p[1])], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(losses, logits)[0], [-0.5, 1.0, -0.5], atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_trades_goes_to_where_the_prediction_changes_most(norm):
    training = TradesTraining(linear_net(TWO), Trades(eps=0.1, norm=norm, steps=40), seed=1)
    training.compile()
    # With -1 for the label: it does not look at the labels.
    images = tf.fill([16, 2, 2, 1], 0.5)
    clean, perturbed = training.prepare(images, tf.fill([16], -1))
    np.testing.assert_array_equal(clean, images)
    delta = (perturbed - images).numpy().reshape(16, 4)
    direction = np.sign(AWAY) if norm == "linf" else AWAY / np.linalg.norm(AWAY)
    # Both ways the divergence grows; the start decides.
    signs = np.sign(delta @ AWAY)
    assert set(signs) == {-1.0, 1.0}
    np.testing.assert_allclose(delta, 0.1 * signs[:, None] * direction, atol=1e-4)


@pytest.mark.parametrize("recipe", [Trades, Mart])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_ball_and_the_steps_ramp_up(recipe, norm):
    training_class = {Trades: TradesTraining, Mart: MartTraining}[recipe]
    training = training_class(linear_net(TWO), recipe(eps=0.2, ramp=0.5, steps=10, norm=norm), steps=100, seed=1)
    training.compile()
    images = tf.fill([16, 2, 2, 1], 0.5)
    for iterations, eps in ((10, 0.04), (25, 0.1), (80, 0.2)):
        training.optimizer.iterations.assign(iterations)
        _, perturbed = training.prepare(images, tf.zeros([16], tf.int32))
        lengths = np.linalg.norm((perturbed - images).numpy().reshape(16, 4), np.inf if norm == "linf" else 2, axis=1)
        np.testing.assert_allclose(lengths, eps, atol=1e-6)


def test_the_start_of_trades_is_close_to_the_image():
    training = TradesTraining(linear_net(TWO), Trades(eps=0.1, steps=1, step_size=0.0), seed=1)
    training.compile()
    images = tf.fill([500, 2, 2, 1], 0.5)
    _, perturbed = training.prepare(images, tf.zeros([500], tf.int32))
    assert np.std(perturbed - images) == pytest.approx(0.001, rel=0.05)


def test_mart_goes_to_where_the_cross_entropy_is_largest():
    training = MartTraining(linear_net(TWO), Mart(eps=0.1), seed=1)
    training.compile()
    images = tf.fill([2, 2, 2, 1], 0.5)
    clean, perturbed = training.prepare(images, tf.constant([0, 1]))
    np.testing.assert_array_equal(clean, images)
    delta = (perturbed - images).numpy().reshape(2, 4)
    np.testing.assert_allclose(delta, 0.1 * np.stack([np.sign(AWAY), -np.sign(AWAY)]), atol=1e-6)
