"""Pixels of many files: read like an array, decoded as they are asked for, few of them in memory."""

import concurrent.futures
import pickle
import weakref

import numpy as np
import pytest

from tfinv.datasets import load, pixels
from tfinv.errors import UserError


@pytest.fixture
def root(tmp_path, write_classes):
    return write_classes(tmp_path / "x", {"a": 12, "b": 8}, size=(3, 5))


@pytest.fixture
def streamed(root, monkeypatch):
    """A data set that is not held in memory, and the same one as an array."""
    whole = load(root, "all")
    monkeypatch.setattr(pixels, "_SMALL", 0)
    dataset = load(root, "all")
    assert isinstance(dataset.pixels, pixels.FilePixels)
    assert isinstance(whole.pixels, np.ndarray)
    return dataset, whole


def test_reads_like_an_array(streamed):
    dataset, whole = streamed
    lazy, array = dataset.pixels, whole.pixels
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy), lazy.nbytes) == (
        array.shape,
        array.dtype,
        array.ndim,
        len(array),
        array.nbytes,
    )
    for key in (slice(None), slice(3, 9, 2), slice(-2, None), np.array([4, 1, 1]), array[:, 0, 0, 0] > 5, [2, 0]):
        np.testing.assert_array_equal(lazy[key], array[key])
    np.testing.assert_array_equal(lazy[3], array[3])
    np.testing.assert_array_equal(lazy[2:5, 0, :, 0], array[2:5, 0, :, 0])
    np.testing.assert_array_equal(np.asarray(lazy), array)
    assert np.asarray(lazy, np.float64).dtype == np.float64
    with pytest.raises(IndexError):
        lazy[20]


def test_data_sets_of_it_are_those_of_an_array(streamed):
    dataset, whole = streamed
    np.testing.assert_array_equal(dataset.images, whole.images)
    np.testing.assert_array_equal(dataset.images_at(np.array([3, 0])), whole.images_at(np.array([3, 0])))
    assert (len(dataset), dataset.image_shape, str(dataset)) == (20, (3, 5, 1), str(whole))
    for part, same in (
        (dataset.take(4), whole.take(4)),
        (dataset.subset([5, 2]), whole.subset([5, 2])),
        (dataset.subset(whole.labels == 1).take(3), whole.subset(whole.labels == 1).take(3)),
    ):
        assert isinstance(part.pixels, pixels.FilePixels)
        np.testing.assert_array_equal(part.pixels, same.pixels)
        np.testing.assert_array_equal(part.labels, same.labels)
    batches = [x.numpy() for x, _ in dataset.as_tf(7)]
    np.testing.assert_array_equal(np.concatenate(batches), whole.images)
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert again.digest() == dataset.digest()


def test_the_digest_is_of_the_images_their_order_and_the_labels(streamed, root, monkeypatch):
    dataset, _ = streamed
    assert load(root, "all").digest() == dataset.digest()
    digests = {dataset.digest(), dataset.take(19).digest(), dataset.subset(range(20)[::-1]).digest()}
    digests.add(load(root, "all", class_names=("b", "a")).digest())
    first = sorted((root / "a").iterdir())[0]
    first.write_bytes((root / "b" / "0.png").read_bytes())
    digests.add(load(root, "all").digest())
    assert len(digests) == 5


def test_few_images_stay_in_memory(root, monkeypatch):
    monkeypatch.setattr(pixels, "_SMALL", 0)
    monkeypatch.setattr(pixels, "_CACHE", 4 * 15)  # four images of 3 x 5 levels
    monkeypatch.setattr(pixels.os, "cpu_count", lambda: 1)  # of several threads one may fall behind, and its image stay
    images = []

    def read(self, file, header):
        image, decoder = original(self, file, header)
        array = np.array(image)
        images.append(weakref.ref(array))
        return array, decoder

    original = pixels.Decoding.read
    monkeypatch.setattr(pixels.Decoding, "read", read)
    dataset = load(root, "all")
    assert len(images) == 20  # each once
    assert sum(reference() is not None for reference in images) == 4
    for _ in range(2):
        dataset.images_at(slice(0, 3))
    assert len(images) == 23  # the second time they are at hand
    np.asarray(dataset.pixels)
    assert sum(reference() is not None for reference in images) == 4


def test_several_threads_may_read(streamed, monkeypatch):
    dataset, whole = streamed
    monkeypatch.setattr(pixels, "_CACHE", 5 * 15)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for part in pool.map(lambda _: dataset.pixels[:], range(12)):
            np.testing.assert_array_equal(part, whole.pixels)


def test_a_file_that_is_removed_later_is_named(root, monkeypatch):
    monkeypatch.setattr(pixels, "_SMALL", 0)
    monkeypatch.setattr(pixels, "_CACHE", 0)  # the last one alone stays in memory
    dataset = load(root, "all")
    for file in (root / "a").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"readable image. Received: .*x/a/\d+\.png"):
        dataset.pixels[:]


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_resized_pixels_are_the_same_either_way(small, root, monkeypatch):
    monkeypatch.setattr(pixels, "_SMALL", small)
    dataset = load(root, "all", image_size=(7, 4), channels=3)
    assert isinstance(dataset.pixels, pixels.FilePixels if small == 0 else np.ndarray)
    images = np.asarray(dataset.pixels)
    assert (images.dtype, images.shape) == (np.float32, (20, 7, 4, 3))
    assert sorted(np.rint(images[:, 0, 0, 0] * 255).astype(int)) == list(range(20))
