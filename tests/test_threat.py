"""Projections, steepest directions and the exact budget, against values worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfinv import threat
from tfinv.errors import UserError
from tfinv.threat import Budget

RNG = np.random.default_rng(0)


def images(*rows):
    return np.asarray(rows, np.float32).reshape(len(rows), 1, -1, 1)


@pytest.mark.parametrize("eps", [-0.1, math.nan, "0.1", None, -math.inf])
def test_budget_refuses_eps(eps):
    with pytest.raises(UserError, match="eps"):
        Budget(eps)


def test_budget_refuses_norm():
    with pytest.raises(UserError, match=r"linf, l2, l1.*`norm`"):
        Budget(0.1, "l0")


@pytest.mark.parametrize("eps", [0, 8, np.float32(0.5), math.inf])
def test_budget_accepts(eps):
    assert Budget(eps, "l2").eps == eps


def test_norms_are_those_of_one_example():
    x = images([3, -4], [0, 1])
    np.testing.assert_array_equal(threat.norms(x, "linf"), [4, 1])
    np.testing.assert_array_equal(threat.norms(x, "l2"), [5, 1])
    np.testing.assert_array_equal(threat.norms(x, "l1"), [7, 1])


def test_steepest():
    g = images([3, -4], [0, 0], [0, 2])
    np.testing.assert_array_equal(threat.steepest(g, "linf"), images([1, -1], [0, 0], [0, 1]))
    np.testing.assert_allclose(threat.steepest(g, "l2"), images([0.6, -0.8], [0, 0], [0, 1]), rtol=1e-6)
    np.testing.assert_array_equal(threat.steepest(g, "l1"), images([0, -1], [0, 0], [0, 1]))


def test_steepest_in_l1_moves_a_hundredth_of_the_pixels():
    g = np.arange(300, dtype=np.float32)[None]
    np.testing.assert_allclose(threat.steepest(g, "l1")[0], np.where(g[0] >= 297, 1 / 3, 0), rtol=1e-6)
    assert np.sum(threat.steepest(np.ones((1, 300), np.float32), "l1")) == pytest.approx(1)  # all are equal


def test_steepest_of_gradients_whose_squares_underflow_or_overflow():
    g = images([3e-30, -4e-30], [3e30, -4e30])
    np.testing.assert_allclose(threat.steepest(g, "l2"), images([0.6, -0.8], [0.6, -0.8]), rtol=1e-5)


def test_steepest_ignores_what_is_not_a_number_and_keeps_what_is_infinite():
    g = images([np.nan, -4], [np.nan, np.nan], [np.inf, 1])
    np.testing.assert_array_equal(threat.steepest(g, "linf"), images([0, -1], [0, 0], [1, 1]))
    np.testing.assert_allclose(threat.steepest(g, "l2"), images([0, -1], [0, 0], [1, 0]), atol=1e-6)


def test_project():
    p = images([3, -4], [0.3, 0.4], [0, 0])
    np.testing.assert_array_equal(threat.project(p, 1.0, "linf"), images([1, -1], [0.3, 0.4], [0, 0]))
    np.testing.assert_allclose(threat.project(p, 1.0, "l2"), images([0.6, -0.8], [0.3, 0.4], [0, 0]), rtol=1e-6)
    # Soft thresholding by 3: |3| + |-4| - 2 * 3 = 1.
    np.testing.assert_allclose(threat.project(p, 1.0, "l1"), images([0, -1], [0.3, 0.4], [0, 0]), rtol=1e-6)
    np.testing.assert_allclose(threat.project(images([3, -4]), 5.0, "l1"), images([2, -3]), rtol=1e-6)
    for norm in threat.NORMS:
        np.testing.assert_array_equal(threat.project(p, 0.0, norm), np.zeros_like(p))
        np.testing.assert_array_equal(threat.project(p, np.float32(np.inf), norm), p)


def test_random_start_linf_is_the_scaled_draw():
    u = images([0, 0.5], [0.25, 0.75])
    np.testing.assert_array_equal(threat.random_start(u, u, 2.0, "linf"), images([-2, 0], [-1, 1]))


def test_random_start_l2_has_the_length_of_a_uniform_draw():
    u, z = images([0.25, 0.9], [1, 0]), images([3, -4], [0, 5])
    # d = 2, so the length is radius * sqrt(u).
    np.testing.assert_allclose(threat.random_start(u, z, 2.0, "l2"), images([0.6, -0.8], [0, 2]), rtol=1e-6)


def test_random_start_l1_fills_the_ball():
    """Of a uniform draw from a ball in d dimensions, length / radius is distributed as u^(1/d)."""
    rng = np.random.default_rng(0)
    u, z = rng.uniform(size=(20000, 1, 3, 1)).astype(np.float32), rng.normal(size=(20000, 1, 3, 1)).astype(np.float32)
    drawn = threat.random_start(u, z, 2.0, "l1").numpy()
    length = np.abs(drawn).sum((1, 2, 3))
    assert length.max() <= 2 * (1 + 1e-6)
    np.testing.assert_allclose(np.mean(length), 2 * 3 / 4, rtol=0.01)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.02)
    # A coordinate of a point on the simplex in three dimensions has the mean 1 / 3.
    np.testing.assert_allclose((np.abs(drawn) / length[:, None, None, None]).mean(0), 1 / 3, rtol=0.02)


def test_distances_are_exact_in_float64():
    x = images([0.1, 0.2])
    moved = images([0.1, 0.7])
    exact = float(np.float32(0.7)) - float(np.float32(0.2))
    assert threat.distances(moved, x, "linf")[0] == exact
    assert threat.distances(images([3, 4]), images([0, 0]), "l2")[0] == 5.0
    assert threat.distances(images([3, 4]), images([0, 0]), "l1")[0] == 7.0


@pytest.mark.parametrize("norm", threat.NORMS)
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (0.1, 0.7)])
@pytest.mark.parametrize("share", [0.0, 1e-9, 1e-7, 8 / 255, 0.1, 0.3, 1.0])
def test_enforce_holds_exactly(norm, bounds, share):
    low, high = np.float32(bounds)
    width = bounds[1] - bounds[0]
    x = np.clip(RNG.uniform(low, high, (40, 4, 4, 1)).astype(np.float32), low, high)
    x[0], x[1] = low, high
    eps = share * width * (1 if norm == "linf" else 2)
    step = RNG.choice([-1, 1], x.shape) * eps / {"linf": 1, "l2": 4, "l1": 16}[norm]
    before = (x + step.astype(np.float32) * np.float32(1.001)).astype(np.float32)
    after = threat.enforce(before, x, Budget(eps, norm), bounds)
    assert after.dtype == np.float32
    assert (threat.distances(after, x, norm) <= eps).all()
    assert after.min() >= low
    assert after.max() <= high
    # It moves no further than it has to.
    if share > 1e-6:
        allowed = np.clip(before, low, high)
        assert np.abs(after - allowed).max() <= 0.0011 * np.abs(step).max() + 4 * np.spacing(high)


def test_enforce_leaves_alone_what_is_inside():
    x = images([0.5, 0.5])
    inside = images([0.55, 0.46])
    for norm in threat.NORMS:
        np.testing.assert_array_equal(threat.enforce(inside, x, Budget(0.1, norm), (0, 1)), inside)


def test_enforce_of_an_infinite_budget_is_the_bounds():
    np.testing.assert_array_equal(
        threat.enforce(images([-3, 7]), images([0.5, 0.5]), Budget(math.inf), (0, 1)), images([0, 1])
    )


def test_projection_runs_in_a_graph_with_unknown_batch():
    fn = tf.function(lambda p: threat.project(threat.steepest(p, "l2"), 0.5, "l2"))
    spec = tf.TensorSpec((None, 1, None, 1), tf.float32)
    np.testing.assert_allclose(fn.get_concrete_function(spec)(images([3, -4])), images([0.3, -0.4]), rtol=1e-6)
