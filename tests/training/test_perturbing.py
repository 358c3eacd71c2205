"""Perturbations in training: the shared loop, anti-adversarial and adversarial training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from linear_net import AWAY, TWO
from stripes import small_net, stripes
from tfinv.attacks.losses import cross_entropy
from tfinv.training.adversarial import Adversarial, AdversarialTraining
from tfinv.training.atat import ATAT, ATATTraining
from tfinv.training.perturbing import Ascent, perturb

DATA = stripes(16)
X, Y = tf.constant(DATA.images), tf.constant(DATA.labels)


def linear(x):
    """Logits of two classes whose difference is the sum of the pixels."""
    total = tf.reduce_sum(x, axis=[1, 2, 3])
    return tf.stack([total, -total], axis=1)


@pytest.mark.parametrize(("targeted", "sign"), [(False, -1.0), (True, 1.0)])
def test_on_a_linear_model_it_ends_in_the_corner(targeted, sign):
    images, labels = tf.fill([2, 2, 2, 1], 0.5), tf.constant([0, 0])
    ascent = Ascent(eps=0.1, step_size=0.05, steps=4)
    # Lowering the loss of class 0 raises the pixels, raising it lowers them.
    perturbed = perturb(linear, images, labels, cross_entropy, ascent, [0, 0], targeted=targeted)
    np.testing.assert_allclose(perturbed, images + sign * 0.1, rtol=1e-6)


def test_it_starts_anywhere_in_the_ball_and_in_the_bounds():
    images = tf.concat([tf.fill([1, 40, 40, 1], 0.5), tf.zeros([1, 40, 40, 1])], 0)
    ascent = Ascent(eps=0.1, step_size=0.05, steps=0)
    start = perturb(linear, images, tf.constant([0, 0]), cross_entropy, ascent, [0, 0]).numpy()
    assert 0.4 <= start[0].min() < 0.41
    assert 0.59 < start[0].max() <= 0.6
    assert start[1].min() == 0
    other = perturb(linear, images, tf.constant([0, 0]), cross_entropy, ascent, [0, 1]).numpy()
    assert not np.allclose(start, other)


def weighted(x):
    """Logits of two classes, 0 and 1 x_1 - 2 x_2 + .5 x_3 + 3 x_4."""
    return tf.reshape(x, [-1, 4]) @ tf.constant(TWO, tf.float32)


def test_in_l2_each_step_goes_along_the_gradient_and_back_to_the_ball():
    images, labels = tf.fill([3, 2, 2, 1], 0.5), tf.constant([0, 1, 0])

    def perturbation(steps):
        ascent = Ascent(eps=0.3, step_size=0.1, steps=steps, norm="l2")
        return perturb(weighted, images, labels, cross_entropy, ascent, [0, 5]).numpy().reshape(3, 4) - 0.5

    expected = perturbation(0)
    direction = AWAY / np.linalg.norm(AWAY) * np.array([[1.0], [-1.0], [1.0]])  # what is not the class
    for steps in range(4):
        np.testing.assert_allclose(perturbation(steps), expected, atol=1e-6)
        expected = expected + 0.1 * direction
        expected *= np.minimum(1.0, 0.3 / np.linalg.norm(expected, axis=1, keepdims=True))
    # In the end it is the worst image of the ball.
    np.testing.assert_allclose(perturbation(100), 0.3 * direction, atol=1e-4)


def test_in_l2_it_starts_anywhere_in_the_ball_and_ends_in_the_bounds():
    images = tf.fill([4000, 2, 2, 1], 0.5)
    ascent = Ascent(eps=0.2, step_size=0.1, steps=0, norm="l2")
    start = perturb(weighted, images, tf.zeros([4000], tf.int32), cross_entropy, ascent, [1, 2])
    share = np.linalg.norm((start - images).numpy().reshape(4000, 4), axis=1) / 0.2
    # Of a uniform draw from a ball in d dimensions, the mean radius is d / (d + 1), that of its fourth power 1 / 2.
    assert share.max() <= 1 + 1e-6
    assert share.mean() == pytest.approx(0.8, abs=0.01)
    assert (share**4).mean() == pytest.approx(0.5, abs=0.02)
    assert np.abs(np.mean((start - images).numpy(), 0)).max() < 0.01
    ascent = Ascent(eps=0.2, step_size=0.1, steps=3, norm="l2")
    corner = perturb(weighted, images * 2, tf.ones([4000], tf.int32), cross_entropy, ascent, [1, 2])
    assert (corner.numpy().min() >= 0, corner.numpy().max() <= 1) == (True, True)
    assert np.linalg.norm((corner - images * 2).numpy().reshape(4000, 4), axis=1).max() <= 0.2 + 1e-6


def test_atat_moves_towards_another_class_inside_its_ball():
    training = ATATTraining(small_net(DATA), ATAT(eps=0.01, step_size=0.004))
    training.compile()
    images, perturbed, others = training.prepare(X, Y)
    np.testing.assert_array_equal(others, 1 - DATA.labels)
    np.testing.assert_array_equal(images, X)
    moved = np.abs(perturbed - X)
    assert 0.009 < moved.max() <= 0.01 + 1e-6
    assert perturbed.numpy().min() >= 0
    before, after = (cross_entropy(training.classifier(x), others).numpy() for x in (X, perturbed))
    assert (after < before).all()


def test_atat_draws_every_other_class_and_never_the_own():
    net = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    training = ATATTraining(net, ATAT(steps=1))
    training.compile()
    labels = tf.constant(np.arange(400) % 4)
    _, _, others = training.prepare(tf.zeros([400, 2, 2, 1]), labels)
    assert np.unique((others.numpy() - labels.numpy()) % 4).tolist() == [1, 2, 3]


def test_atat_weighs_the_loss_at_the_perturbed_image():
    training = ATATTraining(small_net(DATA), ATAT(weight=0.5))
    training.compile()
    inputs = training.prepare(X, Y)
    loss, logits = training.objective(Y, *inputs)
    other = cross_entropy(training.classifier(inputs[1]), inputs[2])
    assert float(loss) == pytest.approx(float(np.mean(cross_entropy(logits, Y)) + 0.5 * np.mean(other)), rel=1e-5)


def linear_net(shape=(8, 8, 1)):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2)])


def test_adversarial_training_goes_to_the_corner_of_an_eps_that_rises():
    training = AdversarialTraining(linear_net(), Adversarial(eps=0.2, ramp=0.5, steps=5), steps=100)
    training.compile()
    image = tf.fill([2, 8, 8, 1], 0.5)
    kernel = training.classifier.layers[-1].kernel.numpy()
    away = np.sign(kernel[:, 1] - kernel[:, 0]).reshape(8, 8, 1)
    for step, eps in ((0, 0.0), (25, 0.1), (50, 0.2), (100, 0.2)):
        training.optimizer.iterations.assign(step)
        (perturbed,) = training.prepare(image, tf.constant([0, 1]))
        # From the far corner, -eps, five steps of eps / 4 lead to eps / 4; from the near one, nowhere.
        moved = (perturbed - image).numpy() * np.stack([away, -away])
        assert moved.max() == pytest.approx(eps, abs=1e-6)
        assert moved.min() >= 0.25 * eps - 1e-6


@pytest.mark.proof
def test_adversarial_training_learns_the_feature_that_eps_cannot_turn():
    # One pixel that differs by .6 between the classes, and 63 that differ by .1 (Tsipras et al. 2019, section 2).
    rng = np.random.default_rng(0)
    labels = np.arange(256) % 2
    sign = np.where(labels == 1, 1.0, -1.0)[:, None]
    weak = 0.5 + 0.05 * sign + rng.normal(0, 0.05, (256, 63))
    images = np.concatenate([0.5 + 0.3 * sign, weak], axis=1).clip(0, 1).reshape(-1, 8, 8, 1).astype(np.float32)
    accuracy, share = {}, {}
    for eps in (0.0, 0.15):
        keras.utils.set_random_seed(0)
        training = AdversarialTraining(linear_net(), Adversarial(eps=eps, steps=5))
        training.compile(keras.optimizers.Adam(0.02))
        training.fit(images, labels, batch_size=32, epochs=40, verbose=0)
        training.defence = Adversarial(eps=0.15, steps=10)
        (perturbed,) = training.prepare(tf.constant(images), tf.constant(labels))
        accuracy[eps] = np.mean(np.argmax(training.classifier(perturbed), 1) == labels)
        kernel = training.classifier.layers[-1].kernel.numpy()
        size = np.abs(kernel[:, 1] - kernel[:, 0])
        share[eps] = size[0] / size.sum()
    assert accuracy[0.0] < 0.5
    assert accuracy[0.15] > 0.95
    assert share[0.15] > 2 * share[0.0]
