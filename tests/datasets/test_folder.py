import numpy as np
import pytest

from tfinv.datasets import load
from tfinv.errors import UserError


def test_splits_a_folder_of_classes(tmp_path, write_classes, levels):
    root = write_classes(tmp_path / "pets", {"dog": 5, "cat": 10})
    train, test, whole = (load(root, split) for split in ("train", "test", "all"))
    assert train.name == "pets"
    assert train.class_names == ("cat", "dog")
    assert train.image_shape == (4, 6, 1)
    np.testing.assert_array_equal(np.bincount(train.labels), [8, 4])
    assert sorted(levels(train) + levels(test)) == levels(whole) == list(range(15))
    dogs = whole.pixels[whole.labels == 1, 0, 0, 0]
    assert sorted(dogs) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(load(root, limit=3).pixels, train.pixels[:3])
    np.testing.assert_array_equal(load(root, seed=1, split="all").pixels.sum(), whole.pixels.sum())
    assert levels(load(root, "test", seed=1)) != levels(test)


def test_keeps_train_and_test_folders(tmp_path, write_classes, levels):
    write_classes(tmp_path / "train", {"a": 3, "b": 2})
    write_classes(tmp_path / "test", {"b": 2}, start=100)
    assert levels(load(tmp_path)) == [0, 1, 2, 3, 4]
    test = load(tmp_path, "test")
    assert levels(test) == [100, 101]
    assert set(test.labels) == {1}
    assert test.class_names == ("a", "b")
    assert len(load(tmp_path, "all")) == 7


def test_a_class_may_be_called_train(tmp_path, write_classes):
    root = write_classes(tmp_path / "vehicles", {"bus": 2, "train": 2})
    assert load(root, "all").class_names == ("bus", "train")


def test_a_test_class_that_train_lacks_is_refused(tmp_path, write_classes):
    write_classes(tmp_path / "train", {"a": 2})
    write_classes(tmp_path / "test", {"a": 1, "c": 1})
    with pytest.raises(UserError, match=r"classes of train/ only. Received: c"):
        load(tmp_path)


def test_other_files_and_hidden_ones_are_ignored(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 2, "b": 2})
    (root / "readme.txt").write_text("not a class")
    (root / ".cache").mkdir()
    (root / "a" / "notes.txt").write_text("not an image")
    (root / "a" / "._0.png").write_text("not an image either")
    (root / "a" / "deeper").mkdir()
    (root / "a" / "2.PNG").write_bytes(png(9))
    assert len(load(root, "all")) == 5


def test_one_colour_file_makes_all_rgb_in_every_split(tmp_path, write_classes):
    write_classes(tmp_path / "train", {"a": 2})
    write_classes(tmp_path / "test", {"a": 1}, mode="RGB")
    train = load(tmp_path, "train")
    assert train.image_shape == (4, 6, 3)
    assert (train.pixels[..., :1] == train.pixels).all()


def test_transparency_is_dropped(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 2})
    (root / "a" / "0.png").write_bytes(png((9, 20), mode="LA"))
    assert load(root, "all").image_shape == (4, 6, 1)
    (root / "a" / "1.png").write_bytes(png((1, 2, 3, 4), mode="RGBA"))
    assert load(root, "all").image_shape == (4, 6, 3)


def test_sizes_that_differ_need_image_size(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 2})
    (root / "a" / "1.png").write_bytes(png(7, size=(8, 8)))
    with pytest.raises(UserError, match=r"(4x6 in .*8x8|8x8 in .*4x6).*--image_size=HEIGHT,WIDTH"):
        load(root, "all")
    resized = load(root, "all", image_size=(5, 3))
    assert resized.image_shape == (5, 3, 1)
    assert set(resized.pixels.ravel()) == {0, 7}


@pytest.mark.parametrize("how", ["truncated", "garbage", "empty", "bomb"])
def test_a_corrupt_image_is_named(how, tmp_path, write_classes, png, monkeypatch):
    root = write_classes(tmp_path / "x", {"a": 2})
    victim = root / "a" / "1.png"
    data = png(3, size=(64, 64))
    bytes_of = {"truncated": data[: len(data) - 30], "garbage": b"no image", "empty": b"", "bomb": data}
    victim.write_bytes(bytes_of[how])
    if how == "bomb":
        monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 64 * 40)
    with pytest.raises(UserError, match=rf"readable image. Received: {victim} .*Replace or remove"):
        load(root, "all", image_size=(4, 6))


def test_deep_images_are_refused(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 2})
    (root / "a" / "1.png").write_bytes(png(1000, mode="I;16"))
    with pytest.raises(UserError, match="8 bits"):
        load(root, "all")


def test_folders_without_classes_or_images_are_refused(tmp_path, write_classes):
    with pytest.raises(UserError, match="no class folders"):
        load(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match=f"none in {tmp_path / 'a'}"):
        load(tmp_path)


def test_a_split_that_would_be_empty_is_refused(tmp_path, write_classes):
    root = write_classes(tmp_path / "x", {"a": 1, "b": 1})
    with pytest.raises(UserError, match=r"split test.*two images"):
        load(root, "test")
