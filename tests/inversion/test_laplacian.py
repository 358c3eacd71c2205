"""The Laplacian pyramid, and steps along gradients that are normalised in it."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import Knowledge, Laplacian, invert
from tfinv.inversion.laplacian import merge, normalise, split

DRAW = np.random.default_rng(1)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (9, 7, 2), (5, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("levels", [0, 1, 2, 6])
def test_a_pyramid_merges_back_exactly(shape, levels):
    # Of whole numbers the first level's sums are exact in float32; deeper ones have few enough binary digits as well.
    images = DRAW.integers(-2, 3, size=(2, *shape)).astype(np.float32)
    pyramid = split(tf.constant(images), levels)
    merged = merge(pyramid).numpy()
    if levels <= 1:
        np.testing.assert_array_equal(merged, images)
    np.testing.assert_allclose(merged, images, atol=1e-6)


def test_levels_are_cut_to_the_image():
    shapes = [tuple(level.shape[1:3]) for level in split(tf.zeros([1, 28, 20, 1]), 9)]
    assert shapes == [(28, 20), (14, 10), (7, 5), (4, 3)]
    assert len(split(tf.zeros([1, 28, 28, 1]), 2)) == 3
    assert len(split(tf.zeros([1, 3, 28, 1]), 2)) == 1


def test_a_constant_lies_in_the_coarsest_level():
    fine, coarse = split(tf.ones([1, 32, 32, 1]), 1)
    # Far from the border, where the blur sees zeros.
    np.testing.assert_allclose(fine[0, 4:-4, 4:-4], 0, atol=1e-6)
    np.testing.assert_allclose(coarse[0, 2:-2, 2:-2], 1, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_each_level_has_the_deviation_one(scale):
    levels = split(tf.constant(scale * DRAW.normal(size=(3, 28, 28, 2)), tf.float32), 3)
    assert len(levels) == 4
    for level in levels:
        normalised = normalise(level).numpy()
        np.testing.assert_allclose(np.sqrt(np.mean(normalised**2, axis=(1, 2, 3))), 1, rtol=1e-5)
    np.testing.assert_array_equal(normalise(tf.zeros([1, 4, 4, 1])), np.zeros((1, 4, 4, 1)))


def linear(weights, scale):
    return Classifier.from_callable(
        lambda x: tf.stack([0 * x[:, 0, 0, 0], scale * tf.reduce_sum(x * weights, axis=[1, 2, 3])], 1),
        input_shape=weights.shape,
        num_classes=2,
        outputs="logits",
    )


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("levels", [0, 3])
def test_a_step_does_not_depend_on_the_size_of_the_gradient(scale, levels):
    weights = DRAW.normal(size=(8, 8, 1)).astype(np.float32)
    method = Laplacian(steps=3, levels=levels, loss="logit", rate=0.01)
    result = invert(linear(weights, scale), [1], method, knowledge=Knowledge(average=np.full((8, 8, 1), 0.5)))
    pyramid = split(tf.constant(weights[None]), levels)
    step = merge([level / np.sqrt(np.mean(np.square(level))) for level in pyramid]).numpy()[0]
    np.testing.assert_allclose(result.images[0], np.clip(0.5 + 0.03 * step, 0, 1), atol=1e-5)


def test_coarse_shapes_move_as_fast_as_fine_ones():
    """Weights of a weak slope and strong noise: the slope shows after the normalisation."""
    slope = np.linspace(-1, 1, 16)[:, None, None] * np.ones((16, 16, 1))
    noise = 20 * (-1.0) ** np.add.outer(np.arange(16), np.arange(16))[..., None]

    def share(levels):
        gradient = tf.constant(-(slope + noise)[None], tf.float32)
        step = -Laplacian(levels=levels).transform_gradient(gradient).numpy()[0]
        return np.sum(step * slope) / np.sqrt(np.sum(step**2) * np.sum(slope**2))

    assert share(0) < 0.1
    assert share(3) > 0.5


def test_a_gradient_of_zero_gives_no_step():
    np.testing.assert_array_equal(Laplacian().transform_gradient(tf.zeros([2, 8, 8, 1])), np.zeros((2, 8, 8, 1)))


def test_bad_levels():
    with pytest.raises(UserError, match="Expected levels"):
        Laplacian(levels=-1)
