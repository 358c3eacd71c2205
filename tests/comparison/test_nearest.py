"""The nearest training images of a reconstruction, on images whose neighbours are known."""

import keras
import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.comparison import nearest as nearest_module
from tfinv.comparison.nearest import NearestImages, search
from tfinv.datasets import Dataset

# An image has one bright pixel of four, in the place of its class; but the last is of class 0 and looks like class 2.
PLACES, LABELS = np.array([0, 1, 2, 3, 2]), np.array([0, 1, 2, 3, 0])
NAMES = tuple("abcd")


def bright(places, grey=0.1):
    images = np.full((len(places), 4), grey, np.float32)
    images[np.arange(len(places)), places] = 0.9
    return images.reshape(-1, 2, 2, 1)


@pytest.fixture
def victim():
    """Its last convolution sees the image as it is."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    model.layers[0].set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    return Classifier.from_keras(model)


def reconstructions(places, starts, labels):
    return {"images": bright(places, 0.2), "starts": bright(starts, 0.2), "labels": np.array(labels)}


def test_the_nearest_of_any_class_and_of_the_own(victim):
    trained, held_out = (
        Dataset("d", "train", bright(PLACES), LABELS, NAMES),
        Dataset("d", "test", bright([1, 1, 0, 2], 0.3), np.array([1, 0, 0, 1]), NAMES),
    )
    nearest = search(reconstructions([0, 1, 2], [3, 1, 1], [0, 1, 0]), victim, trained, held_out)
    # The first of each class before the second of any.
    assert nearest.rows.tolist() == [0, 1, 2]
    assert nearest.any_class.indices[:, 0].tolist() == [0, 1, 2]
    assert nearest.same_class.indices.tolist() == [[0, 4, -1, -1], [1, -1, -1, -1], [4, 0, -1, -1]]
    values = {v.measure: v for v in nearest.values()}
    assert values["nearest_is_of_class"].values.tolist() == [True, True, False]
    assert values["start_nearest_is_of_class"].values.tolist() == [False, True, False]
    # Two reconstructions are of class 0 and one is of 1, so the second image of class 1 is left out.
    assert values["held_out_nearest_is_of_class"].labels.tolist() == [1, 0, 0]
    assert values["held_out_nearest_is_of_class"].values.tolist() == [True, False, True]
    shares = "67 % of the reconstructions, 33 % of what they began with, 67 % of held-out images"
    assert nearest.summary() == f"The nearest is of the intended class for {shares}."


def test_of_many_the_first_of_each_class(victim, monkeypatch):
    monkeypatch.setattr(nearest_module, "_MAX_RECONSTRUCTIONS", 2)
    trained = Dataset("d", "train", bright(PLACES), LABELS, NAMES)
    nearest = search(reconstructions([0, 3, 1], [0, 1, 2], [0, 0, 1]), victim, trained, trained)
    assert nearest.rows.tolist() == [0, 2]
    assert nearest.labels.tolist() == [0, 1]
    assert nearest.any_class.indices[:, 0].tolist() == [0, 1]
    assert nearest.starts.tolist() == [0, 2]


def test_it_is_kept_as_arrays_and_a_training_image_is_not_held_out(victim, tmp_path):
    trained = Dataset("d", "train", bright(PLACES), LABELS, NAMES)
    nearest = search(reconstructions([0, 1], [3, 1], [0, 1]), victim, trained, trained.subset(np.array([0, 1])))
    np.savez(tmp_path / "n.npz", **nearest.to_arrays())
    with np.load(tmp_path / "n.npz") as stored:
        again = NearestImages.from_arrays(dict(stored))
    assert [v.measure for v in again.values()] == ["nearest_is_of_class", "start_nearest_is_of_class"]
    arrays, expected = again.to_arrays(), nearest.to_arrays()
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
