"""Fronts: which images a model takes by the shape of its input, and what becomes of them."""

import numpy as np
import pytest

from tfinv.classifier.inputs.front import Wishes, make_front
from tfinv.errors import UserError

CASES = [
    # Shape of the input, image size, shape of the images, shape of what the model gets.
    ((8, 6, 3), None, (8, 6, 3), (8, 6, 3)),
    ((8, 6, 3), (8, 6), (8, 6, 3), (8, 6, 3)),
    ((6, 6, 2), None, (6, 6, 2), (6, 6, 2)),
    ((8, 6, 4), None, (8, 6, 4), (8, 6, 4)),
    ((8, 6), None, (8, 6, 1), (8, 6)),
    ((None, None), (8, 6), (8, 6, 1), (8, 6)),
    ((3, 8, 6), None, (8, 6, 3), (3, 8, 6)),
    ((1, 28, 28), None, (28, 28, 1), (1, 28, 28)),
    ((3, None, None), (8, 6), (8, 6, 3), (3, 8, 6)),
    ((3, 32, 3), None, (3, 32, 3), (3, 32, 3)),
    ((None, None, 3), (8, 6), (8, 6, 3), (8, 6, 3)),
    ((8, None, 3), (8, 6), (8, 6, 3), (8, 6, 3)),
    ((None, None, None), (8, 6), (8, 6, 3), (8, 6, 3)),
    ((784,), None, (28, 28, 1), (784,)),
    ((3072,), None, (32, 32, 3), (3072,)),
    ((48,), (6, 8), (6, 8, 1), (48,)),
    ((144,), (6, 8), (6, 8, 3), (144,)),
    ((1024, 3), None, (32, 32, 3), (1024, 3)),
    ((784, 1), None, (28, 28, 1), (784, 1)),
    ((48, 1), (6, 8), (6, 8, 1), (48, 1)),
    ((1, 8, 6, 3), None, (8, 6, 3), (1, 8, 6, 3)),
]


@pytest.mark.parametrize(("shape", "image_size", "images", "received"), CASES)
def test_images_of_an_input(shape, image_size, images, received):
    front = make_front(shape, "float32", Wishes(image_size))
    assert front.shape == images
    x = np.random.default_rng(0).random((2, *images)).astype(np.float32)
    assert tuple(front(x).shape) == (2, *received)
    changed = tuple(received) != tuple(images) or None in shape
    assert bool(front.notes) == changed


def test_pixels_keep_their_places():
    x = np.arange(2 * 3 * 4 * 3, dtype=np.float32).reshape(2, 3, 4, 3)
    first = make_front((3, None, None), "float32", Wishes((3, 4)))
    np.testing.assert_array_equal(first(x), np.moveaxis(x, -1, 1))
    flat = make_front((36,), "float32", Wishes((3, 4)))
    np.testing.assert_array_equal(flat(x), x.reshape(2, 36))
    grey = make_front((3, 4), "float32", Wishes())
    np.testing.assert_array_equal(grey(x[..., :1]), x[..., 0])
    bgr = make_front((3, 4, 3), "float32", Wishes(channels="bgr", preprocessing=lambda v: v * [1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(bgr(x), x[..., ::-1] * [1, 10, 100])  # channels first, then the preprocessing
    assert len(bgr.notes) == 2


REFUSED = [
    ((None, None, 3), "float32", {}, "--image_size to the height and width"),
    ((8, 6, 3), "float32", {"image_size": (9, 6)}, "change it to 8,6"),
    ((5,), "float32", {}, r"input of shape \(None, 5\) and type float32"),
    ((None,), "float32", {}, "a model of images"),
    ((48,), "float32", {"image_size": (7, 7)}, "--image_size to the height and width"),
    ((2, 8, 6, 3), "float32", {}, "Put a layer that takes images in front"),
    ((8, 6, 3), "bool", {}, "dtype='float32'"),
    ((), "string", {}, "type string"),
    ((8, 6), "float32", {"channels": "bgr"}, "images of 1. Leave out --channels"),
    ((8, 6, 3), "float32", {"channels": "brg"}, "Change channels= or --channels"),
]


@pytest.mark.parametrize(("shape", "dtype", "wishes", "message"), REFUSED)
def test_refused_inputs(shape, dtype, wishes, message):
    with pytest.raises(UserError, match=message):
        make_front(shape, dtype, Wishes(**wishes))
