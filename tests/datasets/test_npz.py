import re

import numpy as np
import pytest

from tfinv.datasets import load
from tfinv.errors import UserError

X = np.arange(20 * 4, dtype=np.uint8).reshape(20, 2, 2, 1)
Y = np.arange(20) % 2


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "toy.npz", **arrays)
        return tmp_path / "toy.npz"

    return write


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y")])
def test_splits_whole_sets(save, keys, levels):
    path = save(**dict(zip(keys, (X, Y), strict=True)))
    train, test = load(path), load(str(path), "test")
    assert (train.name, len(train), len(test)) == ("toy", 16, 4)
    assert train.class_names == ("0", "1")
    assert sorted(levels(train) + levels(test)) == levels(load(path, "all"))
    for dataset in (train, test):
        np.testing.assert_array_equal(dataset.pixels[:, 0, 0, 0] // 4 % 2, dataset.labels)


def test_keeps_train_and_test_in_order(save):
    path = save(x_train=X[:15], y_train=Y[:15], x_test=X[15:], y_test=Y[15:])
    np.testing.assert_array_equal(load(path).pixels, X[:15])
    np.testing.assert_array_equal(load(path, "test").labels, Y[15:])
    np.testing.assert_array_equal(load(path, "all").pixels, X)
    assert len(load(path, limit=4)) == 4


def test_mixes_what_is_stored_class_by_class(save):
    """Else the first --limit images, or the last --validation ones, would be of one class."""
    order = np.argsort(Y, kind="stable")
    path = save(x_train=X[order], y_train=Y[order], x_test=X[order], y_test=Y[order])
    for split in ("train", "test"):
        mixed = load(path, split)
        assert set(mixed.labels[:8]) == set(mixed.labels[-8:]) == {0, 1}
        np.testing.assert_array_equal(mixed.pixels[:, 0, 0, 0] // 4 % 2, mixed.labels)
        np.testing.assert_array_equal(mixed.pixels, load(path, split).pixels)
    assert not np.array_equal(load(path).labels, load(path, seed=1).labels)


def test_reads_what_keras_keeps(save):
    path = save(x_train=X[..., 0], y_train=Y[:, None].astype(np.uint8), x_test=X[..., 0], y_test=Y[:, None])
    assert load(path).image_shape == (2, 2, 1)
    np.testing.assert_array_equal(load(path).labels, Y)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(save, dtype):
    dataset = load(save(x=(X / 255).astype(dtype), y=Y), "all")
    assert dataset.pixels.dtype == np.float32


def test_class_names(save):
    assert load(save(x=X, y=Y, class_names=np.array(["cat", "dog", "eel"]))).class_names == ("cat", "dog", "eel")
    with pytest.raises(UserError, match=r"0..0. Received: labels in 0..1"):
        load(save(x=X, y=Y, class_names=np.array(["cat"])))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X}, "with the keys images and labels; x and y; .*Received: .*with a"),
        ({"x_train": X, "y_train": Y}, "with x_train, y_train"),
        ({"x": X / np.float32(50), "y": Y}, "Divide by 255"),
        ({"x": X.astype(complex), "y": Y}, "uint8 or float32"),
        ({"x": X, "y": Y[:3]}, "3 labels"),
        ({"x": X, "y": Y - 1}, "-1..0"),
        ({"x": X, "y": Y * 0.5}, "whole numbers"),
        ({"x": X, "y": np.eye(2)[Y] * 0.5}, r"one-hot rows\. Received: rows such as 0.5, 0"),
        ({"x": X[:0], "y": Y[:0]}, "at least one image"),
        ({"x_train": X, "y_train": Y, "x_test": X / 255, "y_test": Y}, "one shape and type"),
        ({"x": np.array([{"an": "object"}]), "y": Y}, "plain arrays"),
    ],
)
def test_refuses(save, arrays, message):
    with pytest.raises(UserError, match=message):
        load(save(**arrays))


@pytest.mark.parametrize("how", ["truncated", "flipped", "garbage", "empty", "npy"])
def test_refuses_a_corrupt_file(save, how):
    path = save(x=X, y=Y)
    data = path.read_bytes()
    if how == "npy":
        np.save(path.with_suffix(".npy"), X)
        data = path.with_suffix(".npy").read_bytes()
    damaged = {
        "truncated": data[:-200],
        "flipped": data[:180] + bytes([data[180] ^ 1]) + data[181:],
        "garbage": b"no archive",
        "empty": b"",
        "npy": data,
    }
    path.write_bytes(damaged[how])
    with pytest.raises(UserError, match=r"whole .npz file"):
        load(path)


RGB = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("labels", "numbers", "names", "note"),
    [
        (np.array(["dog", "cat"])[Y], 1 - Y, ("cat", "dog"), "labels of texts, as numbers: 0 cat, 1 dog"),
        (np.array([b"dog", b"cat"])[Y], 1 - Y, ("cat", "dog"), "labels of texts, as numbers: 0 cat, 1 dog"),
        (np.array([" 0", "1"])[Y], Y, ("0", "1"), "labels of texts that are numbers, as numbers"),
        (Y.astype(np.float32), Y, ("0", "1"), "labels of floats that are whole, as whole numbers"),
        (Y[:, None].astype(float), Y, ("0", "1"), "labels of floats that are whole, as whole numbers"),
        (Y.astype(bool), Y, ("0", "1"), "labels of false and true, as 0 and 1"),
        (np.eye(2)[Y], Y, ("0", "1"), "one-hot labels, as numbers of classes"),
        (np.eye(3, dtype=bool)[Y], Y, ("0", "1"), "one-hot labels, as numbers of classes"),
    ],
)
def test_labels_in_other_forms(save, labels, numbers, names, note):
    for path in (save(x=X, y=labels), save(x_train=X, y_train=labels, x_test=X, y_test=labels)):
        dataset = load(path, "all")
        assert dataset.class_names == names
        order = np.argsort(dataset.pixels[:, 0, 0, 0], kind="stable")
        truth = numbers if len(dataset) == 20 else np.repeat(numbers, 2)
        np.testing.assert_array_equal(dataset.labels[order], truth)
        assert dataset.notes == (note,)


def test_texts_follow_the_files_class_names_or_the_models(save):
    texts = np.array(["dog", "cat"])[Y]
    dataset = load(save(x=X, y=texts, class_names=np.array(["Dog", "cat", "eel"])), "all")
    assert dataset.class_names == ("Dog", "cat", "eel")
    assert dataset.labels[dataset.pixels[:, 0, 0, 0] == 0] == [0]
    dataset = load(save(x=X, y=texts), "all", class_names=("eel", "DOG", "cat"))
    assert dataset.labels[dataset.pixels[:, 0, 0, 0] == 0] == [1]
    assert "cat is 2, dog is 1" in dataset.notes[-1]
    with pytest.raises(UserError, match=r"the texts in y .*Dog, eel. Received: cat, dog \(none of the model's: cat\)"):
        load(save(x=X, y=texts, class_names=np.array(["Dog", "eel"])))


def test_labels_from_1_are_lowered_only_where_they_can_be_nothing_else(save):
    path = save(x=X, y=Y + 1)
    dataset = load(path, "all", num_classes=2)
    assert (sorted(set(dataset.labels)), dataset.class_names) == ([0, 1], ("0", "1"))
    assert dataset.notes == ("labels 1 to 2, lowered by 1 to begin at 0",)
    for num_classes in (None, 3):
        assert sorted(set(load(path, "all", num_classes=num_classes).labels)) == [1, 2]
    assert set(load(path, "all", num_classes=2, limit=1).labels) <= {0, 1}  # known from all labels, not from these few
    assert load(save(x=X, y=Y + 1, class_names=np.array(["cat", "dog"])), "all").notes[0].startswith("labels 1 to 2")
    with pytest.raises(UserError, match=r"0\.\.1\. Received: labels in 0\.\.2"):
        load(save(x=X, y=np.where(Y, 2, 0), class_names=np.array(["cat", "dog"])))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (Y * 0.5, r"y as whole numbers, those of classes. Received: 0.5 among float64 labels. Scores"),
        (np.where(Y, np.nan, 0), "y as whole numbers. Received: 10 that are NaN"),
        (
            np.eye(2)[Y] * 0.9,
            r"one-hot rows. Received: rows such as 0.9, 0. If they are probabilities, store labels.argmax",
        ),
        (np.ones((20, 2)), "one class an image in y. Received: rows of 0 and 1 with 2 to 2 classes"),
        (np.array([["a", "b"]] * 20), "one text an image"),
        (np.array([{"a": 1}] * 20, object), r"plain arrays.*labels.astype\(str\)"),
    ],
)
def test_labels_that_are_none_are_refused_with_the_reason(save, labels, message):
    with pytest.raises(UserError, match=message):
        load(save(x=X, y=labels), "all")


def test_the_advice_on_labels_helps(save):
    with pytest.raises(UserError, match=r"labels.argmax\(axis=1\)"):
        load(save(x=X, y=np.eye(2)[Y] * 0.9))
    assert len(load(save(x=X, y=(np.eye(2)[Y] * 0.9).argmax(axis=1)), "all")) == 20
    texts = np.array(["cat", "dog"], object)[Y]
    with pytest.raises(UserError, match=r"labels.astype\(str\)"):
        load(save(x=X, y=texts))
    assert load(save(x=X, y=texts.astype(str)), "all").class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("images", "pixels", "note"),
    [
        (np.moveaxis(RGB, -1, 1), RGB, r"images stored channels first, \(3, 6, 5\), with the channels moved"),
        (np.concatenate([RGB, RGB[..., :1]], -1), RGB, "the last of 4 channels, transparency, is dropped"),
        (np.moveaxis(np.concatenate([RGB, RGB[..., :1]], -1), -1, 1), RGB, "transparency, is dropped"),
        (RGB[..., :2], RGB[..., :1], "the last of 2 channels, transparency"),
        (RGB.astype(np.int64), RGB, r"images of int64 in 0\.\.255, as uint8"),
        (RGB.astype(np.uint16), RGB, r"images of uint16 in 0\.\.255, as uint8"),
        (RGB.astype(np.uint16) * 257, RGB / np.float32(255), "16-bit images, divided by 65,535"),
        (RGB.astype(np.float64), RGB / np.float32(255), r"images of floats in 0\.\.255, divided by 255"),
        (RGB * np.float32(0.97), RGB * np.float32(0.97) / 255, r"floats in 0\.\.255"),
        (RGB > 127, (RGB > 127).astype(np.float32), "true and false, as 1 and 0"),
    ],
)
def test_images_in_other_forms(save, images, pixels, note):
    dataset = load(save(x_train=images, y_train=Y, x_test=images, y_test=Y), "train")
    assert dataset.pixels.dtype in (np.uint8, np.float32)
    np.testing.assert_allclose(dataset.pixels, pixels, atol=1e-6)
    assert any(re.search(note, text) for text in dataset.notes)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (RGB / 127.5 - 1, r"in \[0, 1\]. Received: values in \[-1, 1\]. Store \(x \+ 1\) / 2 .* --bounds=-1,1"),
        ((RGB / 255 - 0.45) / 0.22, r"which were standardised. Store the images as they were before.*--preprocessing"),
        (RGB / 100, r"Received: values in \[0, 2.55\]. Divide by 255"),
        (RGB.astype(np.uint16) * 16, "up to 4080, which may be levels of 10, 12 or 16 bits. Divide by the largest"),
        (RGB.astype(np.int64) - 5, r"levels of 0\.\.255. Received: int64 from -5 to 250"),
        ((RGB > 127).astype(int), r"int64 from 0 to 1\. Store"),
        (np.zeros((20, 6, 5, 7), np.uint8), r"1 or 3 channels. Received: shape \(20, 6, 5, 7\)"),
        (np.full((20, 6, 5, 3), np.nan), "without NaN"),
    ],
)
def test_images_in_forms_of_several_meanings_are_refused(save, images, message):
    with pytest.raises(UserError, match=message):
        load(save(x=images, y=Y), "all")


def test_the_advice_on_images_helps(save):
    assert load(save(x=(RGB / 127.5 - 1 + 1) / 2, y=Y), "all").pixels.max() == 1
    assert load(save(x=RGB.astype(np.uint16) * 16 / 4095, y=Y), "all").pixels.max() < 1
    assert load(save(x=(RGB > 127).astype(np.float32), y=Y), "all").pixels.max() == 1


def test_black_and_white_as_0_and_1_of_255_is_noted(save):
    dataset = load(save(x=(RGB > 127).astype(np.uint8), y=Y), "all")
    assert dataset.notes == ("the largest level of all images is 1 of 255: multiply black and white by 255",)
