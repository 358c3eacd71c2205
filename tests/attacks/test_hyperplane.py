"""Projections onto a hyperplane in a box, against SciPy's linear programs and root finder."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from tfinv import threat
from tfinv.attacks.hyperplane import project

NORM = pytest.mark.parametrize("norm", threat.NORMS)
SIZE = 12


def moves(points, normal, value, norm, bounds=(0.0, 1.0)):
    points, normal = np.float32(points), np.float32(normal)
    return project(tf.constant(points), tf.constant(normal), tf.constant(np.float32(value)), *bounds, norm).numpy()


def optimum(point, normal, value, norm, low, high):
    """Returns the smallest norm of a move, computed with SciPy; infinity where no move reaches the hyperplane."""
    below, above, n = low - point, high - point, len(point)
    ends = (
        value + np.minimum(normal * below, normal * above).sum(),
        value + np.maximum(normal * below, normal * above).sum(),
    )
    if not ends[0] <= 0 <= ends[1]:
        return np.inf
    if norm == "l2":  # m = clip(s normal) for the multiplier s
        end = max(abs(below).max(), abs(above).max()) / np.abs(normal[normal != 0]).min()
        s = scipy.optimize.brentq(lambda s: value + normal @ np.clip(s * normal, below, above), -end, end, xtol=1e-14)
        return np.linalg.norm(np.clip(s * normal, below, above))
    # Unknowns: the move, and bounds of its absolute values, one for all or one a pixel.
    limits = np.ones((n, 1)) if norm == "linf" else np.eye(n)
    cost = np.r_[np.zeros(n), np.ones(limits.shape[1])]
    rows = np.block([[np.eye(n), -limits], [-np.eye(n), -limits]])
    program = scipy.optimize.linprog(
        cost,
        rows,
        np.zeros(2 * n),
        np.r_[normal, 0 * cost[n:]][None],
        [-value],
        [*np.stack([below, above], 1), *[(0, None)] * len(cost[n:])],
    )
    return program.fun


def cases(bounds, seed=0, n=60):
    """Returns points with a third of their pixels on the bounds, normals with zeros and ties, and values of all sizes."""
    rng, (low, high) = np.random.default_rng(seed), bounds
    points = np.clip(rng.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (n, SIZE)), low, high)
    normal = rng.normal(size=(n, SIZE)) * rng.uniform(size=(n, SIZE)) ** 3
    normal[:, :2] = 0
    normal[:, 3:5] = -normal[:, 5:6]
    most = np.abs(normal).sum(1) * (high - low)
    return np.float32(points), np.float32(normal), np.float32(most * rng.uniform(-0.7, 0.7, n))


@NORM
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_the_move_is_the_smallest_one_onto_the_hyperplane_or_goes_to_its_corner(norm, bounds):
    points, normal, value = cases(bounds)
    move = moves(points, normal, value, norm, bounds).astype(np.float64)
    low, high = bounds
    width, steep = high - low, np.abs(normal).sum(1)
    assert (points + move).min() >= low - 1e-6 * width
    assert (points + move).max() <= high + 1e-6 * width
    left = np.abs(value + (normal * move).sum(1)) / (width * steep)
    expected = np.array(
        [
            optimum(p, w, v, norm, low, high)
            for p, w, v in zip(points.astype(float), normal.astype(float), value, strict=True)
        ]
    )
    met = np.isfinite(expected)
    assert 10 < met.sum() < 50
    assert left[met].max() < 1e-6
    np.testing.assert_allclose(threat.distances(move, 0 * move, norm)[met], expected[met], rtol=1e-5, atol=1e-6 * width)
    corner = np.where(normal * value[:, None] > 0, low, high) - points
    np.testing.assert_allclose(move[~met], np.where(normal != 0, corner, 0)[~met], atol=1e-6 * width)


def test_known_moves():
    """From (.5, .5, .5, .9) onto w m = 1 with w = (1, 2, 0, 2): the last pixel has room for .1."""
    arguments = ([[0.5, 0.5, 0.5, 0.9]], [[1, 2, 0, 2]], [-1.0])
    t = 0.8 / 3
    np.testing.assert_allclose(moves(*arguments, "linf"), [[t, t, 0, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(moves(*arguments, "l2"), [[0.16, 0.32, 0, 0.1]], rtol=1e-6)
    # The two steepest pixels share the last of it in proportion to their room.
    np.testing.assert_allclose(moves(*arguments, "l1"), [[0, 5 / 12, 0, 1 / 12]], rtol=1e-6)
    np.testing.assert_allclose(
        moves([[0.5, 0.5, 0.5, 0.9]], [[1, 2, 0, 2]], [-1.4], "l1"), [[0.2, 0.5, 0, 0.1]], rtol=1e-6
    )


@NORM
def test_a_move_back_is_the_mirror_of_a_move_there(norm):
    points, normal, value = cases((-1.0, 1.0))
    np.testing.assert_array_equal(
        moves(points, normal, value, norm, (-1.0, 1.0)), -moves(-points, normal, -value, norm, (-1.0, 1.0))
    )


@NORM
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_the_linear_function_does_not_matter(norm, scale):
    points, normal, value = cases((0.0, 1.0))
    near = np.abs(value) < 0.3 * np.abs(normal).sum(1)
    points, normal, value = points[near], normal[near], value[near]
    once, scaled = moves(points, normal, value, norm), moves(points, scale * normal, scale * value, norm)
    np.testing.assert_allclose(once, scaled, atol=1e-4 if norm == "l1" else 1e-6)


@NORM
def test_odd_cases_give_finite_moves(norm):
    points, normal = np.full((6, 4), 0.25), np.tile(np.float32([1, -2, 0.5, 1e-38]), (6, 1))
    normal[0] = 0
    normal[1, 1] = np.nan
    normal[2, 1] = -np.inf
    move = moves(points, normal, [1, -0.3, -0.3, np.nan, 0, np.inf], norm)
    assert np.isfinite(move).all()
    assert not move[[0, 3, 4]].any()
    np.testing.assert_allclose((normal[1] * move[1])[[0, 2, 3]].sum(), 0.3, rtol=1e-6)
    assert move[1, 1] == 0
    assert not move[2, [0, 2, 3]].any() or norm == "linf"
    np.testing.assert_allclose(move[5, :3], [-0.25, 0.75, -0.25])


@NORM
def test_it_is_exact_for_as_many_pixels_as_a_large_image_has(norm):
    rng = np.random.default_rng(0)
    points, normal = rng.uniform(size=(2, 100, 100, 3)), rng.normal(size=(2, 100, 100, 3)) ** 5
    value = np.array([0.3, -0.1]) * np.abs(normal).sum((1, 2, 3))
    move = moves(points, normal, value, norm).astype(np.float64)
    left = (value + (normal * move).sum((1, 2, 3))) / np.abs(normal).sum((1, 2, 3))
    np.testing.assert_allclose(left, 0, atol=1e-6)
