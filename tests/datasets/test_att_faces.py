"""The AT&T builder, on its dummy data and on damaged archives.

`tfds.testing.DatasetBuilderTestCase` needs packages that TFDS itself does not install, so what it checks is checked here.
"""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_metadata

from tfinv.datasets import load, loading
from tfinv.errors import UserError


def test_builds_from_the_dummy_data(dummy_data, tmp_path):
    builder = tfds.builder("att_faces", data_dir=tmp_path / "tfds")
    assert type(builder) is loading.AttFaces
    config = tfds.download.DownloadConfig(manual_dir=dummy_data / "manual")
    builder.download_and_prepare(download_config=config)
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {"train": 6}
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    assert [example["label"] for example in examples] == [0, 0, 1, 1, 2, 2]
    assert {example["image"].shape for example in examples} == {(112, 92, 1)}
    assert len({example["image"].tobytes() for example in examples}) == 6
    image, label = next(iter(tfds.as_numpy(builder.as_dataset(split="train", as_supervised=True))))
    assert (image.shape, label) == ((112, 92, 1), 0)


def test_metadata():
    metadata = loading.AttFaces.get_metadata()
    assert "Olivetti" in metadata.description
    assert "Samaria" in metadata.citation
    assert metadata.tags
    assert set(metadata.tags) <= set(dataset_metadata.valid_tags())


def test_splits_the_faces_of_each_person(dummy_data):
    train, test, whole = (load("att_faces", split, data_dir=dummy_data) for split in ("train", "test", "all"))
    assert sorted(train.labels) == sorted(test.labels) == [0, 1, 2]
    faces = [{image.tobytes() for image in part.pixels} for part in (train, test, whole)]
    assert not faces[0] & faces[1]
    assert faces[0] | faces[1] == faces[2]
    assert len(faces[2]) == 6
    assert train.num_classes == 40
    assert train.class_names[39] == "s40"
    np.testing.assert_array_equal(train.pixels, load("att_faces", data_dir=dummy_data).pixels)
    others = [load("att_faces", data_dir=dummy_data, seed=seed).pixels for seed in range(1, 5)]
    assert any(not np.array_equal(train.pixels, other) for other in others)


def test_faces_may_lie_in_a_folder_and_beside_other_files(dummy_data, write_faces):
    additions = [("README", b"text"), ("s1/notes.txt", b"text"), ("../../escape.pgm", b"no")]
    write_faces(dummy_data / "manual" / "att_faces.zip", prefix="orl_faces/", additions=additions)
    whole = load("att_faces", "all", data_dir=dummy_data)
    assert sorted(whole.pixels[:, 0, 0, 0]) == [11, 12, 21, 22, 31, 32]
    assert not list(dummy_data.parent.rglob("escape.pgm"))


HEADER = b"P5\n92 112\n255\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"faces": 1}, "no s1/2.pgm, 3 missing"),
        ({"additions": [("again/s1/1.pgm", b"")]}, "s1/1.pgm twice"),
        ({"replace": {"s2/1.pgm": HEADER + bytes(92 * 112 - 9)}}, "s2/1.pgm: "),
        ({"replace": {"s2/1.pgm": b""}}, "s2/1.pgm: "),
        ({"replace": {"s2/1.pgm": b"P5\nx y\n255\n"}}, "s2/1.pgm: "),
        ({"replace": {"s2/1.pgm": b"P5\n112 92\n255\n" + bytes(92 * 112)}}, r"s2/1.pgm: \(112, 92\) pixels"),
        ({"replace": {"s2/1.pgm": b"P6\n92 112\n255\n" + bytes(3 * 92 * 112)}}, "mode RGB"),
        ({"replace": {"s2/1.pgm": bytes(1 << 21)}}, "s2/1.pgm of 2097152 bytes"),
    ],
)
def test_refuses_other_archives(dummy_data, write_faces, changes, message):
    write_faces(dummy_data / "manual" / "att_faces.zip", **changes)
    with pytest.raises(UserError, match=message):
        load("att_faces", data_dir=dummy_data)
    assert_nothing_prepared(dummy_data)


@pytest.mark.parametrize("how", ["truncated", "flipped", "garbage", "empty"])
def test_refuses_a_corrupt_archive(dummy_data, how):
    path = dummy_data / "manual" / "att_faces.zip"
    data = path.read_bytes()
    damaged = {
        "truncated": data[:-50],
        "flipped": data[:60] + bytes([data[60] ^ 255]) + data[61:],
        "garbage": b"<html>not found</html>",
        "empty": b"",
    }
    path.write_bytes(damaged[how])
    with pytest.raises(UserError, match=rf"Received: {path} \(.*\). Download it again"):
        load("att_faces", data_dir=dummy_data)
    assert_nothing_prepared(dummy_data)


def assert_nothing_prepared(data_dir):
    assert not list((data_dir / "tensorflow_datasets" / "att_faces").glob("*"))


@pytest.mark.data
def test_the_real_faces(full_data):
    train, test = (load("att_faces", split, data_dir=full_data) for split in ("train", "test"))
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(40, 7))
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(40, 3))
    rows = [{image.tobytes() for image in part.pixels} for part in (train, test)]
    assert not rows[0] & rows[1]
    assert len(rows[0] | rows[1]) == 400
    assert train.image_shape == (112, 92, 1)
