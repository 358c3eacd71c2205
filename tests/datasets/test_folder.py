import numpy as np
import pytest
from PIL import Image

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
    (root / "a" / ".deeper").mkdir()
    (root / "a" / ".deeper" / "0.png").write_text("not an image either")
    (root / "a" / "2.PNG").write_bytes(png(9))
    assert len(load(root, "all")) == 5


def test_files_in_deeper_folders_belong_to_the_class_as_for_keras(tmp_path, write_classes, png, levels):
    root = write_classes(tmp_path / "x", {"a": 2, "b": 2})
    (root / "a" / "deeper" / "still").mkdir(parents=True)
    (root / "a" / "deeper" / "still" / "0.png").write_bytes(png(9))
    whole = load(root, "all")
    assert levels(whole) == [0, 1, 2, 3, 9]
    assert whole.labels[whole.pixels[:, 0, 0, 0] == 9] == [0]


@pytest.mark.parametrize("names", [("training", "testing"), ("train",)])
def test_splits_of_other_names_are_not_taken_for_classes(names, tmp_path, write_classes):
    for name in names:
        write_classes(tmp_path / name, {"cat": 2, "dog": 2})
    with pytest.raises(UserError, match=r"each with the folders cat, dog\. Name them train/ and test/, or pass one"):
        load(tmp_path, "all")
    assert load(tmp_path / names[0], "all").class_names == ("cat", "dog")  # as the advice says


@pytest.mark.parametrize("name", ["validation", "valid", "val"])
def test_a_validation_folder_is_the_test_split_where_there_is_no_other(name, tmp_path, write_classes, levels):
    write_classes(tmp_path / "train", {"a": 2, "b": 2})
    write_classes(tmp_path / name, {"a": 1, "b": 1}, start=50)
    test = load(tmp_path, "test")
    assert levels(test) == [50, 51]
    assert test.notes == (f"the split test is the folder {name}/",)


def test_a_class_without_images_keeps_its_number_with_a_note(tmp_path, write_classes):
    root = write_classes(tmp_path / "x", {"a": 2, "c": 2})
    (root / "b").mkdir()
    dataset = load(root, "all")
    assert dataset.class_names == ("a", "b", "c")
    assert set(dataset.labels) == {0, 2}
    assert dataset.notes == (f"no images in the class folders b of {root}",)


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
    assert set(np.rint(resized.pixels.ravel() * 255)) == {0, 7}
    assert any("resized from 2 sizes, such as 4x6, to 5x3" in note for note in resized.notes)


def test_all_corrupt_images_are_named_at_once(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 8, "b": 8})
    whole = png(3, size=(64, 64))
    damages = {"a/1.png": b"no image", "a/5.png": whole[:-30], "b/2.png": b"", "b/3.png": png(5, (4, 6), "I;16")}
    for name, content in damages.items():
        (root / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(root, "all", image_size=(4, 6), resize="pillow")
    message = str(caught.value)
    assert "Received: 4 files that can't be read" in message
    assert all(str(root / name) in message for name in damages)
    for i in range(8):
        (root / "a" / f"{i}.png").write_bytes(b"no image")
    (root / "b" / "0.png").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"11 files that can't be read.*\(not an image\); and 1 more\. Replace or remove"
    ) as caught:
        load(root, "all", image_size=(4, 6), resize="pillow")
    assert "\n" not in str(caught.value)
    for file in root.rglob("*.png"):  # as the advice says
        if file.name == "0.png" or file.parent.name == "a" or f"b/{file.name}" in damages:
            file.unlink()
    assert len(load(root, "all", image_size=(4, 6), resize="pillow")) == 5


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


def test_deep_images_are_refused_or_read_as_keras_reads_them(tmp_path, write_classes, png):
    root = write_classes(tmp_path / "x", {"a": 2})
    (root / "a" / "1.png").write_bytes(png(1000, mode="I;16"))
    with pytest.raises(UserError, match="8 bits"):
        load(root, "all", resize="pillow")
    dataset = load(root, "all")
    assert set(dataset.pixels.ravel()) == {0, 1000 // 256}
    assert "of files with 16 bits a channel the upper 8, as Keras takes them" in dataset.notes
    Image.new("I;16", (6, 4), 1000).save(root / "a" / "2.tif")
    with pytest.raises(UserError, match=r"8 bits.*2\.tif.*Convert it"):
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
