"""Rows of the pictures of a comparison."""

import numpy as np
import pytest

from tfinv.comparison import gallery
from tfinv.comparison.gallery import Gallery
from tfinv.datasets import Dataset
from tfinv.evaluation.inversion.reconstruction import TrainingSet
from tfinv.reporting.figures import contrast

LABELS = np.array([0, 0, 1, 1])


@pytest.fixture
def drawn(monkeypatch):
    """Grids of the pictures, by file name."""
    grids = {}
    monkeypatch.setattr(gallery, "image_grid", lambda grid, path, columns: grids.update({path.name: dict(grid)}))
    return grids


def make_gallery(featured=None, held_out=1):
    images = np.random.default_rng(0).integers(0, 255, (6, 4, 4, 1), np.uint8)
    train = Dataset("some", "train", images, np.arange(6) % 2, ("a", "b"))
    # With one, class b has no held-out image.
    test = Dataset("some", "test", images[:held_out], np.arange(held_out) % 2, ("a", "b"))
    return Gallery(np.array([0, 1]), train, test, TrainingSet.make(train.images, train.labels, {}), featured)


def reconstructions(seed, start):
    rng = np.random.default_rng(start)
    starts = rng.uniform(size=(4, 4, 4, 1)).astype(np.float32)
    return {"images": np.random.default_rng(seed).uniform(size=(4, 4, 4, 1)), "starts": starts, "labels": LABELS}


def test_the_start_stands_above_the_models_that_share_it(tmp_path, drawn):
    pictures = make_gallery(featured=1)
    for seed, model in enumerate(("usual", "robust")):
        pictures.add(model, "multiscale", "equal", reconstructions(seed, 9))
    figures = {f.name: f for f in pictures.draw(tmp_path)}
    assert list(drawn["multiscale-equal.png"]) == ["class mean", "start", "usual", "robust"]
    np.testing.assert_array_equal(drawn["multiscale-equal.png"]["start"], reconstructions(0, 9)["starts"][[0, 2]])
    np.testing.assert_array_equal(drawn["multiscale-equal.png"]["robust"], reconstructions(1, 9)["images"][[0, 2]])
    assert list(drawn["multiscale-equal-samples.png"]) == ["start", "usual", "robust"]
    np.testing.assert_array_equal(drawn["multiscale-equal-samples.png"]["usual"], reconstructions(0, 9)["images"][2:])
    assert all("what the attack began with" in f.caption for f in figures.values())


def test_a_real_image_of_each_class_stands_beside_its_reconstruction(tmp_path, drawn):
    pictures = make_gallery(held_out=4)
    pictures.add("usual", "multiscale", "equal", reconstructions(0, 9))
    (figure,) = pictures.draw(tmp_path)
    grid = drawn["multiscale-equal.png"]
    assert list(grid) == ["class mean", "held-out image", "start", "usual"]
    np.testing.assert_array_equal(grid["held-out image"], pictures._test.images[:2])
    assert "one of the held-out images" in figure.caption


@pytest.mark.parametrize("third", [False, True])
def test_a_start_that_depends_on_the_model_is_not_shown(tmp_path, drawn, third):
    pictures = make_gallery()
    for seed, model in enumerate(("one", "two", "three")[: 3 if third else 2]):
        pictures.add(model, "brep", "equal", reconstructions(seed, seed))
    (figure,) = pictures.draw(tmp_path)
    assert "start" not in drawn["brep-equal.png"]
    assert "began" not in figure.caption


def test_nor_is_one_that_is_the_same_for_every_class(tmp_path, drawn):
    pictures = make_gallery()
    for model in ("one", "two"):
        pictures.add(model, "miface", "equal", reconstructions(0, 0) | {"starts": np.zeros((4, 4, 4, 1))})
    pictures.draw(tmp_path)
    assert list(drawn["miface-equal.png"]) == ["class mean", "one", "two"]


def test_decoded_images_are_of_the_classes_that_have_held_out_images(tmp_path, drawn):
    pictures = make_gallery()
    pictures.add_decoded("one", np.ones((1, 4, 4, 1)))
    pictures.draw(tmp_path)
    assert {k: len(v) for k, v in drawn["fresh-decoder.png"].items()} == {"image": 1, "one": 1}


def test_dark_reconstructions_are_also_shown_stretched(tmp_path, drawn):
    pictures = make_gallery()
    dark = reconstructions(0, 9)
    pictures.add("usual", "multiscale", "equal", dark | {"images": 0.1 * dark["images"]})
    pictures.add("robust", "multiscale", "equal", dark)
    pictures.draw(tmp_path)
    grid = drawn["multiscale-equal.png"]
    assert list(grid) == ["class mean", "start", "usual", "usual, contrast stretched", "robust"]
    np.testing.assert_array_equal(grid["usual"], 0.1 * dark["images"][[0, 2]])
    np.testing.assert_array_equal(grid["usual, contrast stretched"], contrast.stretched(0.1 * dark["images"][[0, 2]]))
