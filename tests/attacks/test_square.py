"""Square attack where the optimum is known."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import PGD, AutoAttack, Square
from tfinv.attacks.bumps import bump, bump_grid
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (5, 6, 2)
W = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
BOUNDS = [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)]


def linear(offset=-1e4, bounds=(0.0, 1.0), scale=1.0):
    """Logits (0, w (x - middle) + offset)."""
    middle = sum(bounds) / 2
    matrix = np.stack([0 * W.ravel(), W.ravel()], 1)
    return Classifier.from_callable(
        lambda x: scale * (tf.reshape(x - middle, [-1, W.size]) @ matrix + np.float32([0, offset])),
        input_shape=SHAPE,
        num_classes=2,
        bounds=bounds,
        outputs="logits",
    )


def images(bounds, n=3):
    return np.full((n, *SHAPE), sum(bounds) / 2, np.float32)


def gain(x, begin):
    return ((x.astype(np.float64) - begin) * W).sum((1, 2, 3))


@pytest.mark.parametrize("bounds", BOUNDS)
def test_linf_reaches_the_best_corner(bounds):
    eps = 0.1 * (bounds[1] - bounds[0])
    x = images(bounds)
    result = Square(eps=eps, queries=1500)(linear(bounds=bounds), x, [0] * 3)
    np.testing.assert_allclose(result.images - x, np.broadcast_to(eps * np.sign(W), x.shape), rtol=1e-5)
    assert (result.queries == 1500).all()


@pytest.mark.parametrize("bounds", BOUNDS)
def test_l2_climbs_along_the_gradient(bounds):
    """Smooth bumps can't follow all of a gradient that is white noise."""
    eps = 0.5 * (bounds[1] - bounds[0])
    x = images(bounds)
    result = Square(eps=eps, norm="l2", queries=1000)(linear(bounds=bounds), x, [0] * 3)
    np.testing.assert_allclose(result.distances, eps, rtol=1e-4)
    assert (gain(result.images, x) > 0.45 * eps * np.linalg.norm(W)).all()
    few = Square(eps=eps, norm="l2", queries=30)(linear(bounds=bounds), x, [0] * 3)
    assert (gain(few.images, x) < gain(result.images, x)).all()


def test_where_the_bounds_bind_linf_still_finds_the_optimum():
    x = np.random.default_rng(1).choice([0.0, 0.05, 0.5, 1.0], size=(4, *SHAPE)).astype(np.float32)
    result = Square(eps=0.2, queries=1500)(linear(), x, [0] * 4)
    np.testing.assert_allclose(result.images, np.clip(x + 0.2 * np.sign(W), 0, 1), atol=1e-6)


def test_targeted_raises_the_target():
    matrix = np.stack([W.ravel(), -W.ravel(), 0 * W.ravel()], 1)
    classifier = Classifier.from_callable(
        lambda x: tf.reshape(x - 0.5, [-1, W.size]) @ matrix + np.float32([0, 0, 0.1]),
        input_shape=SHAPE,
        num_classes=3,
        outputs="logits",
    )
    result = Square(eps=0.1, targeted=True)(classifier, images((0, 1), 2), [2, 2], targets=np.array([0, 1]))
    np.testing.assert_array_equal(classifier.predict(result.images).argmax(1), [0, 1])
    assert (result.queries < 100).all()


def test_the_first_query_is_stripes_or_a_bump_grid():
    x = images((0, 1))
    change = (Square(eps=0.1, queries=1)(linear(), x, [0] * 3).images - x) / 0.1
    np.testing.assert_allclose(np.abs(change), 1, rtol=1e-5)
    assert (change == change[:, :1]).all()
    assert len(np.unique(change[:, 0].reshape(3, -1), axis=0)) == 3
    result = Square(eps=0.1, norm="l2", queries=1)(linear(), x, [0] * 3)
    np.testing.assert_allclose(result.distances, 0.1, rtol=1e-5)
    assert (result.queries == 1).all()


def test_the_schedule_is_that_of_the_paper():
    """p is halved after 10, 50, 200, ... of 10,000 queries; the square has p H W pixels."""
    square = Square(queries=10_000)
    assert [square.side(q, 28, 28) for q in (1, 10, 11, 50, 51, 201, 501, 1001, 2001, 4001, 6001, 8001)] == [
        round(np.sqrt(0.8 * 784 / 2**k)) for k in (0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    ]
    assert Square(queries=1000).side(2, 28, 28) == square.side(20, 28, 28)
    # AutoAttack's takes the schedule of 10,000 queries as it is.
    (autoattack_square,) = (member for member in AutoAttack().parts if isinstance(member, Square))
    assert (autoattack_square.queries, autoattack_square.side(2001, 28, 28)) == (5000, square.side(2001, 28, 28))
    assert Square(norm="l2", queries=10_000).side(9999, 28, 28) == 3
    assert Square(norm="l2", queries=10_000).side(1, 28, 28) == 25
    assert square.side(1, 1, 1) == square.side(1, 1, 50) == 1


def by_rings(rows, columns):
    """Returns a bump as in section 3.2, computed ring by ring from the centre."""
    eta = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            far = max(abs(r - rows // 2), abs(c - columns // 2))
            eta[r, c] = sum(1 / (k + 1) ** 2 for k in range(far, max(rows, columns) // 2 + 1))
    return eta / np.linalg.norm(eta)


@pytest.mark.parametrize("side", [3, 4, 5, 9])
def test_a_bump_is_two_halves_of_opposite_sign(side):
    i, j = tf.range(12)[None, :, None] - 2, tf.range(11)[None, None, :] - 1
    whole = bump(i, j, side, 12).numpy()[0]
    expected = np.concatenate([by_rings(side // 2, side), -by_rings(side - side // 2, side)]) / np.sqrt(2)
    np.testing.assert_allclose(whole[2 : 2 + side, 1 : 1 + side], expected, atol=1e-6)
    whole[2 : 2 + side, 1 : 1 + side] = 0
    assert not whole.any()
    lying = bump(j, i, side, 12).numpy()[0]
    np.testing.assert_allclose(lying[2 : 2 + side, 1 : 1 + side], expected.T, atol=1e-6)


def test_the_grid_has_norm_one_and_five_bumps_across():
    grid = bump_grid(0, np.arange(3), 28, 31, 3).numpy()
    np.testing.assert_allclose(np.linalg.norm(grid.reshape(3, -1), axis=1), 1, rtol=1e-5)
    assert not grid[:, 0].any()
    assert not grid[:, -2:].any()
    tile = grid[0, 1:6, :5, 0]
    assert min(np.abs(tile - s * t).max() for s in (1, -1) for t in (by_two(5), by_two(5).T)) < 1e-6
    np.testing.assert_array_equal(bump_grid(0, np.array([2]), 28, 31, 3)[0], grid[2])


def by_two(side):
    halves = np.concatenate([by_rings(side // 2, side), -by_rings(side - side // 2, side)])
    return halves / np.sqrt(2) / np.sqrt(5 * 6 * 3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_each_query_is_one_prediction(norm):
    asked = []

    def fn(x):
        asked.append(len(x))
        return np.stack([np.ones(len(x)), np.zeros(len(x))], 1)

    classifier = Classifier.from_predict(fn, input_shape=SHAPE, num_classes=2, outputs="logits")
    asked.clear()
    result = Square(eps=0.1, norm=norm, queries=37)(classifier, images((0, 1), 1), [0])
    assert result.queries == 37
    assert sum(asked) == 37 + 2  # one before and one after


def test_no_query_after_success_and_fewer_than_the_whole():
    x = np.random.default_rng(2).uniform(0.3, 0.7, (20, *SHAPE)).astype(np.float32)
    classifier = linear(offset=-2.0)
    y = classifier.predict(x).argmax(1)
    result = Square(eps=0.15, queries=300)(classifier, x, y)
    best = PGD(eps=0.15)(classifier, x, y)
    np.testing.assert_array_equal(result.success, best.success)
    assert 0 < result.queries.min() < result.queries[result.success].mean() < 150
    short = Square(eps=0.15, queries=300)(classifier, x[:7], y[:7], batch_size=2)
    np.testing.assert_array_equal(short.queries, result.queries[:7])
    np.testing.assert_allclose(short.images, result.images[:7], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (2, 2, 1), (9, 4, 1)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_images_of_any_size(shape, norm):
    size = int(np.prod(shape))
    classifier = Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, size]) @ np.tile(np.float32([[-1, 1]]), (size, 1)),
        input_shape=shape,
        num_classes=2,
        outputs="logits",
    )
    x = np.full((2, *shape), 0.5, np.float32)
    result = Square(eps=0.1, norm=norm, queries=1500)(classifier, x, [1, 1])
    moved = (x - result.images).sum((1, 2, 3))
    best = 0.1 * (size if norm == "linf" else np.sqrt(size))
    assert (moved > (0.99 if norm == "linf" else 0.5) * best).all()


@pytest.mark.parametrize("value", [0, -1, 1.5, np.nan])
def test_p_init_is_a_share(value):
    with pytest.raises(UserError, match="p_init"):
        Square(p_init=value)


def test_the_search_narrows_to_the_images_that_are_nearest():
    order = np.random.default_rng(0).permutation(128)
    x = 0.5 + 0.001 * order[:, None, None, None] * np.sign(W)  # the higher, the nearer
    result = Square(eps=1e-5, queries=800, nearest=True)(linear(), x.astype(np.float32), [0] * 128)
    counts, numbers = np.unique(result.queries, return_counts=True)
    np.testing.assert_array_equal(numbers, [64, 32, 16, 8, 8])
    assert counts[-1] == 800
    assert (np.diff(counts) > 0).all()
    ranks = [order[result.queries == count] for count in counts]
    assert all(low.max() < high.min() for low, high in itertools.pairwise(ranks))
