"""The course of the learning rate, value by value."""

import math

import keras
import numpy as np
import pytest

from tfinv.training.rates import default_rate, rate_schedule, sgd_rate


def rates(*args, steps, **kwargs):
    schedule = rate_schedule(*args, steps, **kwargs)
    return [schedule if isinstance(schedule, float) else float(schedule(step)) for step in range(steps + 1)]


def test_cosine_is_that_of_keras():
    schedule = rate_schedule("cosine", 0.1, 8)
    assert type(schedule) is keras.optimizers.schedules.CosineDecay
    assert schedule.get_config() == keras.optimizers.schedules.CosineDecay(0.1, 8).get_config()
    expected = [0.05 * (1 + math.cos(math.pi * t / 8)) for t in range(9)]
    np.testing.assert_allclose(rates("cosine", 0.1, steps=8), expected, atol=1e-8)


def test_cosine_warms_up_from_zero():
    expected = [0, 0.05, 0.1, *(0.05 * (1 + math.cos(math.pi * t / 6)) for t in range(1, 7))]
    np.testing.assert_allclose(rates("cosine", 0.1, steps=8, warmup=0.25), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("warmup", "expected"),
    [
        (None, [0, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0]),
        (0.25, [0, 0.2, 0.4, 1 / 3, 4 / 15, 0.2, 2 / 15, 1 / 15, 0]),
        (0.0, [0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0]),
    ],
)
def test_cyclic_is_a_triangle(warmup, expected):
    np.testing.assert_allclose(rates("cyclic", 0.4, steps=8, warmup=warmup), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("steps", "counts"), [(8, (4, 2, 2)), (200, (100, 50, 50)), (3, (2, 1, 0)), (2, (1, 1, 0)), (1, (1, 0, 0))]
)
def test_piecewise_divides_by_ten_at_a_half_and_three_quarters(steps, counts):
    expected = [0.1] * counts[0] + [0.01] * counts[1] + [0.001] * counts[2]
    np.testing.assert_allclose(rates("piecewise", 0.1, steps=steps)[:steps], expected, rtol=1e-6)


def test_constant_stays():
    assert rates("constant", 0.1, steps=3) == [0.1] * 4


def test_the_rate_of_an_architecture():
    assert default_rate("cnn", (28, 28, 1)) == 1e-3
    assert default_rate("mlp", (100, 100, 1)) == 1e-4
    assert default_rate("mlp(units=10)", (100, 100, 1)) == 1e-4
    plain = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    assert sgd_rate(keras.Sequential(plain)) == 0.01
    assert sgd_rate(keras.Sequential([plain[0], keras.layers.BatchNormalization(), *plain[1:]])) == 0.1
