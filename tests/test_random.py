"""Draws depend on an example's index in the data set, not on its batch."""

import random as python_random

import keras
import numpy as np
import pytest
from scipy import stats

from tfinv import random

SHAPE = (3, 3, 1)  # nine numbers: not whole blocks of four


@pytest.mark.parametrize("draw", [random.uniform, random.normal])
@pytest.mark.parametrize("rows", [[0], [5], [4, 5, 6], [9, 2, 2, 7], [0, 99], [6, 6]])
def test_rows_are_those_of_the_whole(draw, rows):
    whole = draw(3, 1, np.arange(100), SHAPE).numpy()
    part = draw(3, 1, np.array(rows), SHAPE).numpy()
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("draw", [random.uniform, random.normal])
def test_rows_streams_and_seeds_differ(draw):
    whole = draw(3, 0, np.arange(50), SHAPE).numpy()
    assert len(np.unique(whole)) > 0.99 * whole.size
    assert not np.isin(draw(3, 1, np.arange(50), SHAPE), whole).any()
    assert not np.isin(draw(4, 0, np.arange(50), SHAPE), whole).any()


def test_distributions():
    rows = np.arange(1000)
    u, z = random.uniform(0, 0, rows, SHAPE).numpy(), random.normal(0, 1, rows, SHAPE).numpy()
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 0.001
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.001


def test_far_rows_take_no_memory_for_those_between():
    # All between would be 10^12 numbers.
    assert random.uniform(0, 0, np.array([0, 10**11]), SHAPE).shape == (2, *SHAPE)


@pytest.mark.parametrize("seed", [-1, 2**63, np.int64(7)])
def test_any_integer_is_a_seed(seed):
    assert np.isfinite(random.normal(seed, 0, np.arange(2), SHAPE)).all()


def test_layers_of_a_seed_are_the_same_whoever_else_draws():
    def kernels():
        with random.seeded(3):
            first = keras.layers.Dense(4)
            python_random.random()  # as another thread does
            second = keras.layers.Dense(4)
            for layer in (first, second):
                layer.build((None, 5))
        return [layer.kernel.numpy() for layer in (first, second)]

    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(4) for _ in range(2)]
    for layer in layers:
        layer.build((None, 5))
    for kernel, layer in zip(kernels(), layers, strict=True):
        np.testing.assert_array_equal(kernel, layer.kernel)
    assert keras.src.random.seed_generator.python_random is python_random
