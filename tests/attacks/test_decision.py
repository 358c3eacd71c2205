"""Decision-based attacks on models whose nearest boundary is known."""

import functools

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from tfinv.attacks import Boundary, HopSkipJump
from tfinv.attacks.decision import blend
from tfinv.classifier import Classifier
from tfinv.errors import UserError

SHAPE = (4, 5, 2)
SIZE = 40
W = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
CASES = [(HopSkipJump, "l2", 0.04), (HopSkipJump, "linf", 0.12), (Boundary, "l2", 0.09)]
EACH = pytest.mark.parametrize(("cls", "norm", "excess"), CASES, ids=lambda v: getattr(v, "__name__", str(v)))
BOUNDS = [(0.0, 255.0), (-1.0, 1.0)]  # the other tests have 0 to 1


def function(fn, classes=2, **options):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=classes, outputs="logits", **options)


@functools.cache
def linear(offset, bounds=(0.0, 1.0), scale=1.0):
    """Logits (0, w (x - middle) + offset), in units of the bounds' width."""
    middle, width = sum(bounds) / 2, bounds[1] - bounds[0]
    matrix = np.stack([0 * W, W], 1)
    return function(
        lambda x: scale * (tf.reshape((x - middle) / width, [-1, SIZE]) @ matrix + np.float32([0, offset])),
        bounds=bounds,
    )


def images(bounds=(0.0, 1.0), n=4, radius=0.0):
    """Returns images near the middle of the bounds."""
    unit = 0.5 + radius * np.random.default_rng(1).uniform(-1, 1, (n, *SHAPE))
    return (bounds[0] + (bounds[1] - bounds[0]) * unit).astype(np.float32)


def queries(cls):
    return 5000 if cls is Boundary else 2000


def dual(norm):
    return np.abs(W).sum() if norm == "linf" else np.linalg.norm(W)


@EACH
@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_boundary_of_a_linear_model_is_found(cls, norm, excess, bounds):
    best = 0.5 / dual(norm) * (bounds[1] - bounds[0])
    classifier, x = linear(-0.5, bounds), images(bounds)
    result = cls(norm=norm, queries=queries(cls))(classifier, x, np.zeros(4, int), seed=1)
    assert result.success.all()
    assert (result.distances > best * (1 - 1e-4)).all()
    assert (result.distances < best * (1 + excess)).all()
    assert (result.queries <= queries(cls)).all()


@pytest.mark.proof
@EACH
def test_where_the_bounds_bind(cls, norm, excess):
    """The least distance in the box, from a linear or quadratic program."""
    x = np.random.default_rng(3).choice([0.0, 0.03, 0.5, 1.0], size=(3, *SHAPE)).astype(np.float32)
    offset = -2.0 - ((x.reshape(3, -1) - 0.5) @ W).max()
    result = cls(norm=norm, queries=queries(cls))(linear(offset), x, np.zeros(3, int), seed=1)
    assert result.success.all()
    for distance, image in zip(result.distances, x.reshape(3, -1).astype(np.float64), strict=True):
        gap = -(W @ (image - 0.5) + offset)  # what the change has to make up for

        def excess_margin(size, image=image, gap=gap):
            step = np.sign(W) if norm == "linf" else W / np.linalg.norm(W)  # the optimum is this, cut to the box
            return W @ (np.clip(image + size * step, 0, 1) - image) - gap

        size = scipy.optimize.brentq(excess_margin, 0, 100)
        step = np.sign(W) if norm == "linf" else W / np.linalg.norm(W)
        moved = np.clip(image + size * step, 0, 1) - image
        best = np.abs(moved).max() if norm == "linf" else np.linalg.norm(moved)
        assert best * (1 - 1e-4) < distance < best * (1 + 3 * excess)


@EACH
def test_only_labels_count(cls, norm, excess):
    """Scores, their scale, or no scores at all: the same images."""
    x = images(n=3, radius=0.1)
    matrix = np.stack([0 * W, W], 1)

    def scores(x):
        return (x.reshape(len(x), -1) - 0.5) @ matrix + [0, -1]

    results = []
    for fn, outputs in [
        (scores, "logits"),
        (lambda x: 100 * scores(x), "logits"),
        (lambda x: np.tanh(scores(x)), "logits"),
        (lambda x: scores(x).argmax(1), "labels"),
    ]:
        classifier = Classifier.from_predict(fn, input_shape=SHAPE, num_classes=2, outputs=outputs)
        results.append(cls(norm=norm, queries=300)(classifier, x, np.zeros(3, int)))
    assert results[0].success.all()
    for other in results[1:]:
        np.testing.assert_array_equal(other.images, results[0].images)
        np.testing.assert_array_equal(other.queries, results[0].queries)


@functools.cache
def label_classifier():
    """Returns a classifier that gives labels only, and a list of the batch sizes of its calls."""
    batch_sizes = []

    def fn(x):
        batch_sizes.append(len(x))
        return ((x.reshape(len(x), -1) - 0.5) @ W > 0.5).astype(int)

    return Classifier.from_predict(fn, input_shape=SHAPE, num_classes=2, outputs="labels"), batch_sizes


@EACH
@pytest.mark.parametrize("budget", [1, 2, 20, 40, 137])
def test_each_query_is_one_prediction(cls, norm, excess, budget):
    classifier, batch_sizes = label_classifier()
    batch_sizes.clear()
    result = cls(norm=norm, queries=budget)(classifier, images(n=1), [0], batch_size=1, seed=2)
    assert result.queries[0] <= budget
    # Seen beyond the queries: one before, one after, and what the last calls compute beyond the budget.
    assert result.queries[0] + 2 <= sum(batch_sizes) <= result.queries[0] + 70
    if budget > 100:
        assert result.queries[0] > 0.8 * budget


@EACH
def test_targeted_starts_where_it_is_told(cls, norm, excess):
    matrix = np.stack([W, -W, 0 * W], 1)
    classifier = function(lambda x: tf.reshape(x - 0.5, [-1, SIZE]) @ matrix + np.float32([0, 0, 0.5]), classes=3)
    x = images(n=3)
    start = np.clip(x + 0.4 * np.sign(W).reshape(SHAPE) * np.float32([1, -1, -1]).reshape(3, 1, 1, 1), 0, 1)
    attack = cls(norm=norm, targeted=True, queries=queries(cls))
    targets = np.array([0, 1, 0])
    result = attack(classifier, x, [2, 2, 2], targets=targets, start=start, seed=1)
    np.testing.assert_array_equal(result.success, [True, True, False])  # the last start is not of its target
    np.testing.assert_array_equal(classifier.predict(result.images).argmax(1), [0, 1, 2])
    np.testing.assert_array_equal(result.images[2], x[2])
    np.testing.assert_allclose(result.distances[:2], 0.5 / dual(norm), rtol=excess)
    assert result.queries[2] == 1
    with pytest.raises(UserError, match="start= with an image of the target class"):
        attack(classifier, x, [2, 2, 2], targets=targets)


@EACH
def test_a_start_that_is_not_misclassified_gives_way_to_noise(cls, norm, excess):
    x = images(n=2)
    start = x.copy()
    start[0] += 0.4 * np.sign(W).reshape(SHAPE)
    result = cls(norm=norm, queries=400)(linear(-0.5), x, [0, 0], start=start)
    assert result.success.all()


@EACH
def test_a_model_that_takes_noise_for_one_class(cls, norm, excess):
    """Only images as a whole brighter than .8 are of the other class; uniform noise never is."""
    classifier = function(lambda x: tf.reduce_mean(x, [1, 2, 3])[:, None] * [0.0, 1.0] - [0.0, 0.8])
    result = cls(norm=norm, queries=1000)(classifier, images(n=5), np.zeros(5, int))
    assert result.success.all()
    assert (result.distances < 2 * 0.3 * (1 if norm == "linf" else np.sqrt(SIZE))).all()


@EACH
def test_what_cannot_be_fooled_stays_as_it_is(cls, norm, excess):
    classifier = function(lambda x: 0 * tf.reduce_mean(x, [1, 2, 3])[:, None] + [1.0, 0.0])
    x = images(n=3, radius=0.2)
    result = cls(norm=norm)(classifier, x, np.zeros(3, int))
    assert not result.success.any()
    np.testing.assert_array_equal(result.images, x)
    assert (result.queries <= 100).all()


@EACH
def test_a_finite_eps_ends_the_search_early(cls, norm, excess):
    classifier, x = linear(-0.5), images(n=4, radius=0.02)
    best = 0.5 / dual(norm)
    whole = cls(norm=norm, queries=1500)(classifier, x, np.zeros(4, int))
    early = cls(norm=norm, queries=1500, eps=3 * best)(classifier, x, np.zeros(4, int))
    assert early.success.all()
    assert (early.distances <= 3 * best).all()
    assert (early.queries < whole.queries).all()
    never = cls(norm=norm, queries=300, eps=0.5 * best)(classifier, x, np.zeros(4, int))
    assert not never.success.any()
    np.testing.assert_array_equal(never.images, x)


@EACH
def test_success_does_not_hang_on_rounding(cls, norm, excess):
    """A prediction in another batch, or a nudge of float32's size towards the image, changes nothing."""
    classifier, x = linear(-0.5), images(n=6, radius=0.05)
    y = classifier.predict(x).argmax(1)
    result = cls(norm=norm, queries=500)(classifier, x, y)
    nearer = (x + (1 - 1e-6) * (result.images - x)).astype(np.float32)
    assert (classifier.predict(nearer, batch_size=1).argmax(1) != y).all()


def test_blends_at_a_share_of_the_distance():
    image = np.zeros((2, 1, 2, 1), np.float32)
    far = np.float32([4, 1, -2, 2]).reshape(2, 1, 2, 1)
    share = np.float32([0.5, 0.25])
    np.testing.assert_array_equal(blend(image, far, share, "l2").numpy().ravel(), [2, 0.5, -0.5, 0.5])
    np.testing.assert_array_equal(blend(image, far, share, "linf").numpy().ravel(), [2, 1, -0.5, 0.5])
