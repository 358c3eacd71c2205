"""Additions to Keras's optimizers: L2 in SGD's gradient, and the averaged network."""

import keras
import numpy as np
import pytest

from tfinv.training.base import ClassifierTraining
from tfinv.training.optimizers import SGD, AveragedAdam, AveragedSGD, make_optimizer
from tfinv.training.watching import averaged_weights


def variable(value):
    return keras.Variable(np.float32(value))


def values_after(optimizer, gradients, start=2.0):
    weight = variable([start])
    optimizer.build([weight])
    values = []
    for gradient in gradients:
        optimizer.apply_gradients([(keras.ops.convert_to_tensor([np.float32(gradient)]), weight)])
        values.append(float(weight.numpy()[0]))
    return values


def test_plain_adam_is_that_of_keras():
    optimizer = make_optimizer("adam", 1e-3)
    assert type(optimizer) is keras.optimizers.Adam
    assert optimizer.get_config() == keras.optimizers.Adam(1e-3, name=optimizer.name).get_config()


def test_weight_decay_of_sgd_joins_the_gradient_and_the_momentum():
    weight, velocity, expected = 2.0, 0.0, []
    for gradient in (1.0, -0.5, 0.25):
        total = gradient + 0.1 * weight
        velocity = 0.9 * velocity + total
        weight -= 0.05 * (total + 0.9 * velocity)  # Nesterov, as in PyTorch
        expected.append(weight)
    values = values_after(make_optimizer("sgd", 0.05, weight_decay=0.1), (1.0, -0.5, 0.25))
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    # Keras's own bypasses the momentum.
    keras_sgd = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.1)
    assert abs(values_after(keras_sgd, (1.0, -0.5, 0.25))[-1] - expected[-1]) > 1e-3


def test_weight_decay_of_adam_is_decoupled():
    # Adam's first step is its rate, whatever the gradient.
    (value,) = values_after(make_optimizer("adam", 0.01, weight_decay=0.1), (3.0,))
    assert value == pytest.approx(2.0 * (1 - 0.01 * 0.1) - 0.01, rel=1e-6)


def network():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.BatchNormalization(momentum=0.5), keras.layers.Flatten(), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((2, 2, 1)), *layers])


class Recorder(keras.callbacks.Callback):
    """The network after each step."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.classifier.get_weights())


@pytest.mark.parametrize(("name", "kind"), [("adam", AveragedAdam), ("sgd", AveragedSGD)])
def test_the_averaged_network_is_the_average_of_weights_and_statistics(name, kind):
    training, recorder = ClassifierTraining(network()), Recorder()
    optimizer = make_optimizer(name, 0.05, ema=0.8, statistics=training.classifier.non_trainable_weights)
    assert isinstance(optimizer, kind)
    training.compile(optimizer)
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(size=(24, 2, 2, 1)).astype(np.float32), np.arange(24) % 2
    training.fit(images, labels, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[recorder])
    assert len(recorder.weights) == 12
    expected = recorder.weights[0]
    for step in recorder.weights[1:]:
        expected = [0.8 * a + 0.2 * w for a, w in zip(expected, step, strict=True)]
    for weights, average, last in zip(training.classifier.get_weights(), expected, recorder.weights[-1], strict=True):
        np.testing.assert_allclose(weights, average, rtol=1e-5, atol=1e-6)
        assert not np.allclose(weights, last, atol=1e-4)


def test_the_averaged_network_is_there_for_a_moment_only():
    training = ClassifierTraining(network())
    training.compile(make_optimizer("adam", 0.05, ema=0.5, statistics=training.classifier.non_trainable_weights))
    images = np.random.default_rng(0).uniform(size=(8, 2, 2, 1)).astype(np.float32)
    steps = []
    for _ in range(2):
        training.train_step((keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(np.arange(8) % 2)))
        steps.append(training.classifier.get_weights())
    with averaged_weights(training):
        averages = training.classifier.get_weights()
    for average, first, second, after in zip(averages, *steps, training.classifier.get_weights(), strict=True):
        np.testing.assert_allclose(average, 0.5 * first + 0.5 * second, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(after, second)


def test_without_an_average_nothing_happens():
    training = ClassifierTraining(network())
    training.compile(SGD(0.1))
    before = training.classifier.get_weights()
    with averaged_weights(training):
        for expected, weights in zip(before, training.classifier.get_weights(), strict=True):
            np.testing.assert_array_equal(expected, weights)
