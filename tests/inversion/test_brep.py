"""Boundary repulsion on classes of known shape: its path, its queries, and their number."""

import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import BREP, Knowledge, invert
from tfinv.inversion.problem import Problem

SHAPE = (2, 2, 1)
CENTRE = np.float32([0.5, 0.45, 0.55, 0.5]).reshape(SHAPE)
SIZE = 0.35


class Ball:
    """Class 1 is a ball around CENTRE; it gives labels only, and counts its queries."""

    def __init__(self, bounds=(0.0, 1.0)):
        self.queries, self.bounds = 0, bounds

    def __call__(self, x):
        low, high = self.bounds
        self.queries += len(x)
        unit = (x - low) / (high - low)
        return (np.sqrt(np.sum((unit - CENTRE) ** 2, axis=(1, 2, 3))) < SIZE).astype(np.int64)

    def classifier(self):
        return Classifier.from_predict(self, input_shape=SHAPE, num_classes=2, bounds=self.bounds, outputs="labels")


def off_centre(distance=0.3):
    return Knowledge(begin=CENTRE[None] + np.float32([distance, 0, 0, 0]).reshape(SHAPE))


PIXELS = {"space": "pixels", "start": "given", "radius": 0.1}


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_it_moves_to_the_centre_of_a_ball(bounds):
    ball = Ball(bounds)
    classifier = ball.classifier()
    result = invert(classifier, [1], BREP(**PIXELS, steps=400, patience=100), samples=3, knowledge=off_centre())
    distances = np.linalg.norm((classifier.to_unit(result.images) - CENTRE).reshape(3, -1), axis=1)
    start_distances = np.linalg.norm((classifier.to_unit(result.starts) - CENTRE).reshape(3, -1), axis=1)
    np.testing.assert_allclose(start_distances, 0.3, atol=1e-5)
    assert (distances < 0.1).all()
    assert len(np.unique(result.images.reshape(3, -1), axis=0)) == 3
    np.testing.assert_array_equal(result.confidence, 1)
    assert np.isnan(result.cost).all()


def problem(classifier, labels, knowledge, batch_size=512, seed=0):
    labels = np.array(labels)
    places = labels + 2 * np.arange(len(labels))
    return Problem(classifier, labels, places, knowledge, seed, batch_size)


@pytest.mark.parametrize("batch_size", [1, 40, 512])
@pytest.mark.parametrize("points", [1, 8])
def test_every_query_is_counted(batch_size, points):
    ball = Ball()
    task = problem(ball.classifier(), [1] * 5, off_centre(), batch_size)
    brep = BREP(**PIXELS, points=points, steps=12, patience=4)
    ball.queries = 0
    result = brep.optimise(task, brep.sample(task))
    assert ball.queries == result.queries.sum()
    np.testing.assert_array_equal(result.queries, 1 + result.steps * (points + 1))
    assert (result.steps >= 4).all()


def test_the_batch_size_does_not_matter():
    images = [
        invert(
            Ball().classifier(), [1], BREP(**PIXELS, steps=20), samples=4, knowledge=off_centre(), batch_size=size
        ).images
        for size in (1, 64, 512)
    ]
    np.testing.assert_allclose(images[0], images[1], atol=1e-6)
    np.testing.assert_allclose(images[0], images[2], atol=1e-6)


def test_one_step_by_hand():
    """Where all points on the sphere are outside, the mean direction is theirs; where all are inside, only the radius grows."""
    ball = Ball()
    inside = invert(ball.classifier(), [1], BREP(**PIXELS, steps=1), knowledge=off_centre(0.0))
    np.testing.assert_allclose(inside.images, inside.starts, atol=1e-7)
    wide = BREP(**PIXELS | {"radius": 1.2}, steps=1, points=1)
    task = problem(ball.classifier(), [1], off_centre(0.0))
    moved = wide.optimise(task, wide.sample(task)).points - CENTRE
    # One point, certainly outside: s = R / 3 would be .4, beyond the ball, so x stays; at R = .9 it is .3.
    np.testing.assert_array_equal(moved, np.zeros_like(moved))
    near = BREP(**PIXELS | {"radius": 0.9}, steps=1, points=1)
    moved = near.optimise(task, near.sample(task)).points - CENTRE
    assert np.linalg.norm(moved) == pytest.approx(0.3, abs=1e-5)


def test_patience_counts_from_the_last_growth():
    ball = Ball()
    brep = BREP(**PIXELS | {"radius": 0.34}, steps=50, patience=7, points=8)
    result = invert(ball.classifier(), [1], brep, knowledge=off_centre(0.0))
    # Grows once, to more than the ball: seven steps follow.
    assert result.steps[0] == 8
    assert result.stopped[0]


def test_a_class_without_a_boundary_ends_with_the_steps():
    ones = Classifier.from_predict(
        lambda x: np.ones(len(x), np.int64), input_shape=SHAPE, num_classes=2, outputs="labels"
    )
    result = invert(ones, [1], BREP(**PIXELS, steps=120, patience=5), knowledge=off_centre())
    np.testing.assert_allclose(result.images, result.starts)
    assert result.steps[0] == 120
    assert not result.stopped[0]
    assert np.isfinite(result.images).all()


def test_starts_are_sought_among_auxiliary_images():
    far = np.zeros((9, *SHAPE), np.float32)
    images = np.concatenate([far, CENTRE[None]])
    ball = Ball()
    brep = BREP(space="pixels", start="auxiliary", steps=1, points=2, radius=0.01, tries=200)
    task = problem(ball.classifier(), [1] * 20, Knowledge(images))
    first = brep.sample(task)
    ball.queries = 0
    result = brep.optimise(task, first)
    assert ball.queries == result.queries.sum()
    np.testing.assert_array_equal(result.starts, np.tile(CENTRE, (20, 1, 1, 1)))
    tries = result.queries - 3
    assert 1 < tries.mean() < 30  # one in ten
    np.testing.assert_array_equal(tries == 1, (first == CENTRE).all(axis=(1, 2, 3)))


def test_a_row_without_a_start_stays():
    ball = Ball()
    dark = Knowledge(np.zeros((3, *SHAPE)))
    result = invert(
        ball.classifier(), [1, 0], BREP(space="pixels", start="auxiliary", steps=3, tries=5), knowledge=dark
    )
    np.testing.assert_array_equal(result.images[0], result.starts[0])
    np.testing.assert_array_equal(result.confidence, [0, 1])
    np.testing.assert_array_equal(result.queries, [5, 1 + 3 * 33])
    np.testing.assert_array_equal(result.steps, [0, 3])
    fixed = BREP(space="pixels", start="zeros", steps=3)
    assert invert(ball.classifier(), [1], fixed).queries[0] == 1


def test_scores_are_not_looked_at():
    """Random scores that give the labels of the ball."""

    def scores(x):
        label = Ball()(x)
        noise = np.random.default_rng(len(x)).uniform(1, 100, len(x))
        return np.stack([(1 - label) * noise, label * noise], 1).astype(np.float32)

    with_scores = Classifier.from_predict(scores, input_shape=SHAPE, num_classes=2, outputs="logits")
    brep = BREP(**PIXELS, steps=30)
    result = invert(Ball().classifier(), [1], brep, samples=2, knowledge=off_centre())
    same = invert(with_scores, [1], brep, samples=2, knowledge=off_centre())
    np.testing.assert_array_equal(result.images, same.images)
    assert result.knowledge == "black box, labels only; images to start from"


def test_in_the_latent_space_of_a_generator():
    images = np.random.default_rng(0).uniform(size=(32, 8, 8, 1)).astype(np.float32)
    images[::2] *= 0.3  # dark ones and bright ones

    def bright(x):
        return (x.mean(axis=(1, 2, 3)) > 0.35).astype(np.int64)

    classifier = Classifier.from_predict(bright, input_shape=(8, 8, 1), num_classes=2, outputs="labels")
    brep = BREP(steps=10, latent=4, updates=120, tries=50, patience=5)
    result = invert(classifier, [0, 1], brep, samples=2, knowledge=Knowledge(images, source="squares"))
    assert result.images.shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(bright(result.images), result.labels)
    assert result.knowledge == "black box, labels only; 32 squares"
    with pytest.raises(UserError, match="images"):
        invert(classifier, [0], brep)


def test_the_course():
    result = invert(Ball().classifier(), [1], BREP(**PIXELS, steps=60), samples=2, knowledge=off_centre(), record=1)
    np.testing.assert_array_equal(result.course.steps, [25, 50, 60])
    np.testing.assert_array_equal(result.course.images[-1], result.images[:1])


@pytest.mark.parametrize(
    ("argument", "value"),
    [("space", "sound"), ("points", 0), ("radius", 0), ("growth", 1), ("patience", 0), ("tries", 0), ("candidates", 2)]
    + [("best_of", 3), ("bound", 0)],
)
def test_bad_arguments(argument, value):
    with pytest.raises(UserError, match=rf"Expected {argument}"):
        BREP(**{argument: value})
