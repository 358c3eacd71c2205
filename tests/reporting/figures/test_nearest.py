import numpy as np
import PIL.Image
import pytest

import inverted
from tfinv.errors import UserError
from tfinv.reporting.figures import grids, nearest

NAMES = ["a", "b"]


def _grid_of(monkeypatch, draw):
    """Returns the rows and the column titles of the grid that `draw` draws."""
    calls = []

    def spy(rows, columns, title):
        calls.append((rows, columns))
        return grids.draw_grid(rows, columns, title)

    monkeypatch.setattr(nearest, "draw_grid", spy)
    draw()
    return calls[0]


def test_a_class_shows_its_mean_and_its_samples(tmp_path, monkeypatch):
    images = np.linspace(0, 1, 4 * 4, dtype=np.float32).reshape(4, 4).T.reshape(4, 2, 2, 1)  # each from dark to bright
    means = np.stack([images[0], np.full((2, 2, 1), np.nan, np.float32)])
    labels = np.array([1, 0, 1, 1])
    rows, _ = _grid_of(
        monkeypatch, lambda: nearest.class_grid(images, labels, means, NAMES, tmp_path / "c.png", samples=2)
    )
    assert [label for label, _ in rows] == NAMES
    (_, (mean, a_images)), (_, (gap, b_images)) = rows
    np.testing.assert_array_equal(mean.images[0], images[0])
    assert gap.images == (None,)
    np.testing.assert_array_equal(a_images.images, images[[1]])
    np.testing.assert_array_equal(b_images.images, images[[0, 2]])  # the third is beyond `samples`


def test_below_each_neighbour_are_its_index_class_and_similarity(tmp_path, monkeypatch):
    training = np.stack([np.full((2, 2, 1), v, np.float32) for v in (0.1, 0.5, 0.9)])
    images = training[:1] + 0.05
    any_class = nearest.RankedImages(np.array([[2, 0]]), np.array([[0.98765, 0.5]]))
    same_class = nearest.RankedImages(np.array([[0, -1]]), np.array([[0.5, np.nan]]))
    args = (images, np.array([0]), training, np.array([0, 0, 1]), any_class, same_class, NAMES, tmp_path / "n.png")
    rows, columns = _grid_of(monkeypatch, lambda: nearest.nearest_grid(*args))
    ((label, (reconstruction, any_strip, same_strip)),) = rows
    assert (label, columns[1:]) == ("a", ("nearest of any class", "nearest of its class"))
    assert reconstruction.framed
    assert list(any_strip.captions) == ["no. 2\nb\n0.988", "no. 0\na\n0.500"]
    np.testing.assert_array_equal(any_strip.images, training[[2, 0]])
    assert same_strip.images[1] is None
    assert same_strip.captions[1] == ""


def test_the_picture_is_readable_at_its_size(tmp_path):
    training_images, training_labels, _, images, labels = inverted.arrays()
    data = (images, labels, training_images, training_labels)
    neighbours = [inverted.rank(*data, same_class=same_class) for same_class in (False, True)]
    path = nearest.nearest_grid(*data, *neighbours, [str(k) for k in range(10)], tmp_path / "n.png")
    with PIL.Image.open(path) as image:
        assert 500 < image.width * 96 / 160 < 1000  # CSS pixels, less than the page


@pytest.mark.parametrize(
    ("indices", "count", "expectation"),
    [
        ([[0]], 2, "neighbours of 2"),
        ([[3]], 1, "indices below 3"),
        ([[0]], 0, "at least 1"),
        ([[0]] * 41, 41, "at most 40"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, indices, count, expectation):
    ranked = nearest.RankedImages(np.array(indices), np.zeros((len(indices), 1)))
    images = np.zeros((count, 2, 2, 1), np.float32)
    training = np.zeros((3, 2, 2, 1), np.float32)
    args = (images, np.zeros(count, int), training, np.zeros(3, int), ranked, ranked, NAMES, tmp_path / "n.png")
    with pytest.raises(UserError, match=expectation):
        nearest.nearest_grid(*args)
    assert not list(tmp_path.iterdir())


def test_similarities_belong_to_indices():
    with pytest.raises(UserError, match="one shape"):
        nearest.RankedImages(np.zeros((2, 3), int), np.zeros((2, 2)))


def test_more_classes_than_one_looks_at_are_refused(tmp_path):
    images = np.zeros((41, 2, 2, 1), np.float32)
    with pytest.raises(UserError, match="at most 40 classes"):
        nearest.class_grid(images, np.arange(41), images, list("x" * 41), tmp_path / "c.png")
