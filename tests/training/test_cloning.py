"""Clones of a network: new weights for what was trained, the same for what was not."""

import keras
import numpy as np

from tfinv.training.cloning import clone


def layered():
    keras.utils.set_random_seed(0)
    scaling = keras.layers.Normalization(mean=0.5, variance=4.0)
    frozen = keras.layers.Dense(3, name="frozen", trainable=False)
    nested = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="inner")])
    return keras.Sequential([keras.Input((2, 2, 1)), scaling, keras.layers.Flatten(), frozen, nested])


def test_a_clone_has_new_weights_which_depend_on_the_seed():
    network = layered()
    twins = [clone(network, seed) for seed in (1, 1, 2)]
    kernels = [model.layers[-1].layers[-1].get_weights()[0] for model in (network, *twins)]
    np.testing.assert_array_equal(kernels[1], kernels[2])
    assert not np.allclose(kernels[1], kernels[3])
    assert not np.allclose(kernels[0], kernels[1])


def test_what_was_not_trained_stays():
    network = layered()
    twin = clone(network, 1)
    for a, b in zip(network.layers[2].get_weights(), twin.layers[2].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    images = np.random.default_rng(0).uniform(size=(2, 2, 2, 1)).astype(np.float32)
    np.testing.assert_allclose(twin.layers[0](images), network.layers[0](images))
