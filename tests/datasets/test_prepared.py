"""Prepared data sets: whole or refused, whatever happens while they are prepared; quiet; off the network."""

import json
import socket

import numpy as np
import pytest
from tensorflow_datasets.core.utils import gcs_utils, tqdm_utils

from tfinv.datasets import load, loading
from tfinv.errors import UserError

LABELS = [0, 3, 6]


def fer(data_dir):
    return data_dir / "tensorflow_datasets" / "fer2013"


def test_is_prepared_once(dummy_data, monkeypatch):
    load("fer2013", data_dir=dummy_data)
    (dummy_data / "manual" / "fer2013.csv").unlink()
    monkeypatch.setattr(loading.Fer2013, "_split_generators", None)
    assert load("fer2013", data_dir=dummy_data).labels.tolist() == LABELS
    assert [p.name for p in fer(dummy_data).iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_preparation_leaves_nothing(dummy_data, monkeypatch, interruption):
    def interrupted(self, path, split):
        yield from list(original(self, path, split))[:1]
        raise interruption

    original = loading.Fer2013._generate_examples
    monkeypatch.setattr(loading.Fer2013, "_generate_examples", interrupted)
    with pytest.raises(interruption):
        load("fer2013", data_dir=dummy_data)
    monkeypatch.setattr(loading.Fer2013, "_generate_examples", original)
    assert not list(fer(dummy_data).iterdir())
    assert load("fer2013", data_dir=dummy_data).labels.tolist() == LABELS


def test_what_a_killed_preparation_leaves_is_not_taken_as_whole(dummy_data):
    left = fer(dummy_data) / "incomplete.ABC123_1.0.0"
    left.mkdir(parents=True)
    (left / "fer2013-train.tfrecord-00000-of-00001").write_bytes(b"part")
    (left / "dataset_info.json").write_text("{}")
    assert load("fer2013", data_dir=dummy_data).labels.tolist() == LABELS


def test_another_process_may_prepare_it_meanwhile(dummy_data, monkeypatch):
    def slower(self, dl_manager):
        monkeypatch.setattr(loading.Fer2013, "_split_generators", original)
        load("fer2013", data_dir=dummy_data)  # the faster one
        return original(self, dl_manager)

    original = loading.Fer2013._split_generators
    monkeypatch.setattr(loading.Fer2013, "_split_generators", slower)
    assert load("fer2013", data_dir=dummy_data).labels.tolist() == LABELS
    assert [p.name for p in fer(dummy_data).iterdir()] == ["1.0.0"]


def test_a_folder_that_cannot_be_written_to(dummy_data):
    (dummy_data / "tensorflow_datasets").write_text("a file")
    with pytest.raises(UserError, match=r"can be written to. Received: .*--data_dir or TFINV_DATA_DIR"):
        load("fer2013", data_dir=dummy_data)


def truncate(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 255
    path.write_bytes(data)


DAMAGES = {
    "record truncated": lambda f: truncate(f / "fer2013-train.tfrecord-00000-of-00001", -10),
    "record flipped": lambda f: flip(f / "fer2013-train.tfrecord-00000-of-00001", 60),
    "records empty": lambda f: truncate(f / "fer2013-train.tfrecord-00000-of-00001", 0),
    "records missing": lambda f: (f / "fer2013-train.tfrecord-00000-of-00001").unlink(),
    "info truncated": lambda f: truncate(f / "dataset_info.json", 50),
    "info missing": lambda f: (f / "dataset_info.json").unlink(),
    "features truncated": lambda f: truncate(f / "features.json", 20),
    "features other": lambda f: (f / "features.json").write_text(json.dumps({"type": "os.system"})),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_with_the_remedy(dummy_data, damage):
    load("fer2013", data_dir=dummy_data)
    DAMAGES[damage](fer(dummy_data) / "1.0.0")
    with pytest.raises(UserError, match=rf"{fer(dummy_data)}/1.0.0 \(.*Delete that folder") as caught:
        load("fer2013", data_dir=dummy_data)
    assert "\n" not in str(caught.value)


def test_a_record_too_few_is_refused(dummy_data):
    load("fer2013", data_dir=dummy_data)
    path = fer(dummy_data) / "1.0.0" / "fer2013-train.tfrecord-00000-of-00001"
    size = int.from_bytes(path.read_bytes()[:8], "little") + 16  # a record is length, its crc, data, its crc
    path.write_bytes(path.read_bytes()[size:])
    with pytest.raises(UserError, match="Delete that folder"):
        load("fer2013", data_dir=dummy_data)


def test_a_damaged_tfds_set_names_the_command(tmp_path):
    path = tmp_path / "tensorflow_datasets" / "mnist" / "3.0.1"
    path.mkdir(parents=True)
    (path / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match=rf"{path}.*Delete that folder.*tfds.load\('mnist'"):
        load("mnist", data_dir=tmp_path)


def test_is_quiet_and_restores_what_it_silenced(dummy_data, capfd):
    bars = tqdm_utils._active
    load("fer2013", data_dir=dummy_data)
    load("att_faces", data_dir=dummy_data)
    assert tuple(capfd.readouterr()) == ("", "")
    assert tqdm_utils._active == bars
    print("heard")
    assert capfd.readouterr().out == "heard\n"


def test_uses_no_network(dummy_data, monkeypatch):
    def refuse(*args):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(gcs_utils, "exists", refuse)
    load("fer2013", data_dir=dummy_data)
    load("att_faces", data_dir=dummy_data)
    with pytest.raises(UserError, match="Download it"):
        load("mnist", data_dir=dummy_data)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [("mnist", (28, 28, 1), (60000, 10000)), ("cifar10", (32, 32, 3), (50000, 10000))],
)
def test_the_real_sets(full_data, name, shape, counts):
    for split, count in zip(("train", "test"), counts, strict=True):
        dataset = load(name, split, data_dir=full_data)
        assert (len(dataset), dataset.image_shape, dataset.num_classes) == (count, shape, 10)
        assert dataset.pixels.dtype == np.uint8
        few = load(name, split, data_dir=full_data, limit=7)
        np.testing.assert_array_equal(few.pixels, dataset.pixels[:7])
        histogram = np.bincount(dataset.labels)
        if name == "cifar10":
            assert set(histogram) == {count // 10}
        elif split == "train":
            assert histogram.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
