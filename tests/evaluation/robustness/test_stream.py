"""Images in the bounds of a classifier, a slice at a time, and the chunks that they are taken in."""

import keras
import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.robustness import stream
from tfinv.evaluation.robustness.chunks import Target
from tfinv.evaluation.robustness.stream import BoundedImages


def classifier(shape, bounds=(-1.0, 1.0)):
    model = keras.Sequential([keras.Input(shape), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    return Classifier.from_keras(model, bounds)


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 256, (70, 3, 2, 1), np.uint8)
    data = Dataset("x", "all", pixels, np.arange(70) % 2, ("a", "b"))
    model = classifier((3, 2, 1))
    return BoundedImages(data, model), model.from_unit(data.images)


@pytest.mark.parametrize("rows", [slice(None), slice(5, 6), slice(30, 68), slice(60, 99), slice(0, 70, 7), slice(4, 4)])
def test_slices_are_those_of_the_whole(rows, images):
    streamed, whole = images
    np.testing.assert_array_equal(streamed[rows], whole[rows])
    assert streamed[rows].dtype == np.float32
    assert len(streamed) == 70
    assert 1 < stream._BLOCK < 38  # so that one of these has several blocks


def test_a_chunk_of_large_images_is_one_batch():
    """Of small ones four: 64 MiB of float32 are the limit."""
    for shape, size in (((28, 28, 1), 512), ((64, 64, 3), 512), ((128, 128, 3), 256), ((224, 224, 3), 128)):
        chunks = Target(classifier(shape), None, np.zeros(1000, int)).chunks(128)
        assert {len(rows) for rows in chunks[:-1]} == {size}
        assert [row for rows in chunks for row in rows] == list(range(1000))
