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
        ({"x": X.astype(np.float32), "y": Y}, "Divide by 255"),
        ({"x": X.astype(np.int64), "y": Y}, "uint8 or float32"),
        ({"x": X, "y": Y[:3]}, "3 labels"),
        ({"x": X, "y": Y - 1}, "-1..0"),
        ({"x": X, "y": Y * 0.5}, "whole numbers"),
        ({"x": X, "y": np.eye(2)[Y]}, "one-hot"),
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
