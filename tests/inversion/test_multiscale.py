"""Inversion at several scales: its sizes, and its steps where they can be worked out by hand."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import Gradient, Knowledge, Multiscale, invert
from tfinv.inversion.processing import blur

SHAPE = (8, 8, 1)
WEIGHTS = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
GREY = Knowledge(average=np.random.default_rng(2).uniform(0.4, 0.6, SHAPE))


def linear():
    return Classifier.from_callable(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], tf.reduce_sum(x * WEIGHTS, axis=[1, 2, 3])], 1),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )


@pytest.mark.parametrize("jitter", [0, 2])
def test_one_octave_is_gradient_inversion_to_the_digit(jitter):
    common = {"steps": 7, "rate": 0.3, "total_variation": 0.1, "jitter": jitter, "optimiser": "adam", "start": "noise"}
    one_octave = invert(linear(), [0, 1], Multiscale(octaves=1, **common), seed=3)
    plain = invert(linear(), [0, 1], Gradient(**common), seed=3)
    for name in ("images", "starts", "cost", "steps", "confidence"):
        np.testing.assert_array_equal(getattr(one_octave, name), getattr(plain, name))


@pytest.mark.parametrize(("keep", "steps"), [(0.4, 6), (0.0, 7), (1.0, 6)])
def test_two_octaves_by_hand(keep, steps):
    """Of a linear model the gradient by a small image is the same everywhere."""
    rate = 1e-3
    method = Multiscale(steps=steps, octaves=2, keep=keep, rate=rate, loss="logit", optimiser="descent")
    result = invert(linear(), [1], method, knowledge=GREY)
    start = tf.constant(GREY.average[None])
    small = tf.image.resize(blur(start), (4, 4))
    with tf.GradientTape() as tape:
        tape.watch(small)
        logit = tf.reduce_sum(tf.image.resize(small, (8, 8)) * WEIGHTS)
    # An odd step is taken where it is cheapest to be wrong, in the small one.
    small = small + (steps - steps // 2) * rate * tape.gradient(logit, small)
    blend = keep * start + (1 - keep) * tf.image.resize(small, (8, 8))
    np.testing.assert_allclose(result.images, blend + steps // 2 * rate * WEIGHTS, atol=1e-5)
    assert result.steps[0] == steps
    assert not result.stopped[0]


@pytest.mark.parametrize(
    ("size", "octaves", "factor", "sizes"),
    [
        ((28, 28), 3, 2.0, [(28, 28), (14, 14), (7, 7)]),
        ((28, 28), 9, 2.0, [(28, 28), (14, 14), (7, 7), (4, 4), (2, 2)]),
        ((9, 6), 3, 1.5, [(9, 6), (6, 4), (4, 3)]),
        ((3, 3), 3, 1.1, [(3, 3)]),
        ((2, 30), 3, 2.0, [(2, 30)]),
        ((1, 1), 3, 2.0, [(1, 1)]),
    ],
)
def test_octaves_are_cut_to_what_the_image_bears(size, octaves, factor, sizes):
    assert Multiscale(octaves=octaves, factor=factor).sizes(*size) == sizes


def test_there_are_no_more_octaves_than_steps():
    assert invert(linear(), [1], Multiscale(steps=2, octaves=3), knowledge=GREY).steps[0] == 2


def test_the_course_runs_through_all_octaves():
    result = invert(linear(), [0, 1], Multiscale(steps=90, octaves=3, start="noise"), record=1)
    np.testing.assert_array_equal(result.course.steps, [25, 30, 55, 60, 85, 90])
    assert result.course.cost.shape == (6, 2)
    assert result.course.images.shape == (6, 1, *SHAPE)
    np.testing.assert_array_equal(result.course.images[-1], result.images[:1])


def test_coarse_shapes_come_first():
    """After the small octave alone the change has no fine structure; with one octave it is all there."""
    method = Multiscale(steps=40, octaves=2, keep=0.0, optimiser="descent", rate=1e-3, loss="logit")

    def roughness(inversion_method):
        change = (
            invert(linear(), [1], inversion_method, knowledge=Knowledge(average=np.full(SHAPE, 0.5))).images[0] - 0.5
        )
        return np.abs(np.diff(change, axis=0)).mean() / np.abs(change).mean()

    assert roughness(method) < roughness(dataclasses.replace(method, octaves=1))


@pytest.mark.parametrize(("argument", "value"), [("octaves", 0), ("factor", 1.0), ("keep", 1.1), ("keep", -0.1)])
def test_bad_arguments(argument, value):
    with pytest.raises(UserError, match=rf"Expected {argument}"):
        Multiscale(**{argument: value})
