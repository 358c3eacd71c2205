"""Clones of a network: new weights for what was trained, the same for what was not."""

import keras
import numpy as np
import pytest

import tiny_audit
from tfinv.auditing.questions import clones


def layered():
    keras.utils.set_random_seed(0)
    scaling = keras.layers.Normalization(mean=0.5, variance=4.0)
    frozen = keras.layers.Dense(3, name="frozen", trainable=False)
    nested = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="inner")])
    return keras.Sequential([keras.Input((2, 2, 1)), scaling, keras.layers.Flatten(), frozen, nested])


def test_a_clone_has_new_weights_which_depend_on_the_seed():
    network = layered()
    twins = [clones.clone(network, seed) for seed in (1, 1, 2)]
    kernels = [model.layers[-1].layers[-1].get_weights()[0] for model in (network, *twins)]
    np.testing.assert_array_equal(kernels[1], kernels[2])
    assert not np.allclose(kernels[1], kernels[3])
    assert not np.allclose(kernels[0], kernels[1])


def test_what_was_not_trained_stays():
    network = layered()
    twin = clones.clone(network, 1)
    for a, b in zip(network.layers[2].get_weights(), twin.layers[2].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    images = np.random.default_rng(0).uniform(size=(2, 2, 2, 1)).astype(np.float32)
    np.testing.assert_allclose(twin.layers[0](images), network.layers[0](images))


@pytest.mark.parametrize(("accuracy", "is_fit"), [(0.79, False), (0.8, True), (0.9, True)])
def test_a_training_ends_once_the_images_are_fit(accuracy, is_fit):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.stop_training = False
    callback = clones.StopWhenFit(0.8)
    callback.set_model(model)
    callback.on_epoch_end(0, {"accuracy": accuracy})
    assert model.stop_training == is_fit


def test_a_clone_is_trained_and_queried():
    network, half = tiny_audit.network(), tiny_audit.digits("train").take(64)
    logits = clones.train(network, half, tiny_audit.digits("test"), clones.Recipe(epochs=3, batch_size=16), 0, 1.0)
    assert logits.shape == (tiny_audit.TEST, 1, 10)
    assert np.mean(logits[:, 0].argmax(1) == tiny_audit.digits("test").labels) > 0.1
