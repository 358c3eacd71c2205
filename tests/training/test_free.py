"""Free adversarial training: how many updates a step makes, of what, and what counts them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from linear_net import TWO, linear_net
from stripes import stripes
from tfinv.training.assembly import training_model
from tfinv.training.free import Free, FreeTraining
from tfinv.training.perturbing import uniform_noise
from tfinv.training.schedule import Schedule

IMAGES = np.float32([[0.4, 0.6, 0.5, 0.3], [0.6, 0.4, 0.5, 0.7], [0.5, 0.5, 0.2, 0.6]]).reshape(3, 2, 2, 1)
LABELS = np.array([0, 1, 0])


def by_hand(kernel, start, rate, eps, replays):
    """The same updates of weights and perturbation in numpy."""
    flat, delta, one_hot = IMAGES.reshape(3, 4), start, np.eye(2)[LABELS]
    for _ in range(replays):
        perturbed = flat + delta
        odds = np.exp(perturbed @ kernel)
        error = odds / odds.sum(1, keepdims=True) - one_hot
        gradient, kernel = error @ kernel.T, kernel - rate * perturbed.T @ error / 3
        delta = np.clip(delta + eps * np.sign(gradient), np.maximum(-eps, -flat), np.minimum(eps, 1 - flat))
    return kernel


@pytest.mark.parametrize("replays", [1, 3])
def test_a_step_updates_the_weights_and_the_perturbation_with_the_same_gradients(replays):
    training = FreeTraining(linear_net(TWO), Free(eps=0.1, replays=replays), seed=2)
    training.compile(keras.optimizers.SGD(0.5))
    start = uniform_noise(tf.constant(IMAGES), 0.1, "linf", training.step_seed()).numpy().reshape(3, 4)
    training.train_step((tf.constant(IMAGES), tf.constant(LABELS)))
    assert int(training.optimizer.iterations) == replays == training.updates
    kernel = training.classifier.layers[-1].kernel.numpy()
    np.testing.assert_allclose(kernel, by_hand(TWO, start, 0.5, 0.1, replays), atol=1e-5)


def test_in_l2_the_perturbation_follows_the_gradient_and_stays_in_its_ball():
    training = FreeTraining(linear_net(TWO), Free(eps=0.1, norm="l2", replays=2), seed=2)
    training.compile(keras.optimizers.SGD(0.5))
    delta = uniform_noise(tf.constant(IMAGES), 0.1, "l2", training.step_seed()).numpy().reshape(3, 4)
    training.train_step((tf.constant(IMAGES), tf.constant(LABELS)))
    flat, kernel, one_hot = IMAGES.reshape(3, 4), TWO, np.eye(2)[LABELS]
    for _ in range(2):
        perturbed = flat + delta
        odds = np.exp(perturbed @ kernel)
        error = odds / odds.sum(1, keepdims=True) - one_hot
        gradient, kernel = error @ kernel.T, kernel - 0.5 * perturbed.T @ error / 3
        # All pixels are further than .1 from black and white, so the ball alone holds the step.
        delta = delta + 0.1 * gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
        delta *= np.minimum(1, 0.1 / np.linalg.norm(delta, axis=1, keepdims=True))
    np.testing.assert_allclose(training.classifier.layers[-1].kernel, kernel, atol=1e-5)


def test_the_ramp_holds_for_the_start_and_for_every_step():
    training = FreeTraining(linear_net(TWO), Free(eps=0.1, ramp=0.5, replays=1), steps=4, seed=2)
    training.compile(keras.optimizers.SGD(0.5))
    training.optimizer.build(training.trained_variables)
    training.optimizer.iterations.assign(1)  # a quarter of the training is half of the ramp
    start = uniform_noise(tf.constant(IMAGES), 0.05, "linf", training.step_seed()).numpy().reshape(3, 4)
    training.defence = Free(eps=0.1, ramp=0.5, replays=2)
    training.steps = 2
    training.train_step((tf.constant(IMAGES), tf.constant(LABELS)))
    kernel = training.classifier.layers[-1].kernel.numpy()
    np.testing.assert_allclose(kernel, by_hand(TWO, start, 0.5, 0.05, 2), atol=1e-5)


def test_a_schedule_of_the_rate_counts_updates():
    schedule = Schedule("softmax", epochs=2, batch_size=32, rate_schedule="cosine", learning_rate=0.1)
    model = training_model(Free(replays=3), stripes(64), schedule)
    rates = []
    for updates in (0, 4, 12):  # 2 epochs x 2 batches x 3
        model.optimizer.iterations.assign(updates)
        rates.append(float(model.optimizer.learning_rate))
    assert rates == pytest.approx([0.1, 0.075, 0.0], abs=1e-6)


def test_progress_and_draws_follow_the_steps_of_many_updates():
    training = FreeTraining(linear_net(TWO), Free(replays=4, ramp=0.5), steps=10)
    training.compile(keras.optimizers.SGD(0.0))
    seeds = []
    for step in range(12):
        assert float(training.progress()) == pytest.approx(min(step / 10, 1.0))
        assert float(training.ramp_factor()) == pytest.approx(min(step / 5, 1.0))
        seeds.append(tuple(training.step_seed().numpy()))
        training.train_step((tf.constant(IMAGES), tf.constant(LABELS)))
    assert len(set(seeds)) == 12


def test_what_is_shown_is_the_mean_of_the_replays():
    # Without an update and a perturbation, all replays are the same.
    training = FreeTraining(linear_net(TWO), Free(eps=0.0, replays=3))
    training.compile(keras.optimizers.SGD(0.0))
    logs = training.train_step((tf.constant(IMAGES), tf.constant(LABELS)))
    logits = IMAGES.reshape(3, 4) @ TWO
    loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(3), LABELS])
    assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(logs["accuracy"]) == pytest.approx(np.mean(logits.argmax(1) == LABELS))
