import numpy as np
import pytest

from tfinv import catalogue, models
from tfinv.datasets import NAMES, load, locations
from tfinv.errors import UserError


def test_names():
    assert NAMES == ("mnist5k", "mnist", "cifar10", "att_faces", "fer2013")


def test_mnist5k_splits_are_stratified_and_disjoint():
    train, test = load("mnist5k"), load("mnist5k", "test")
    assert train.image_shape == (28, 28, 1)
    np.testing.assert_array_equal(np.bincount(train.labels), np.full(10, 400))
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 100))
    rows = [{row.tobytes() for row in part.pixels} for part in (train, test)]
    assert not rows[0] & rows[1]
    assert train.pixels.dtype == np.uint8
    assert train.pixels.max() == 255
    assert len(load("mnist5k", "all")) == 5000


def test_mnist5k_depends_on_the_seed_alone():
    first, again, other = (load("mnist5k", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_limit_gives_the_first_images():
    whole, few = load("mnist5k", "test"), load("mnist5k", "test", limit=30)
    np.testing.assert_array_equal(few.pixels, whole.pixels[:30])
    assert len(set(few.labels)) > 5


def test_image_size_resizes_named_sets_too():
    small = load("mnist5k", limit=20, image_size=(14, 10))
    assert small.image_shape == (14, 10, 1)
    whole = load("mnist5k", limit=20)
    assert abs(small.images.mean() - whole.images.mean()) < 0.01


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "mnst"}, "Expected one of mnist5k, .*fer2013, or the path.*Received: 'mnst'"),
        ({"name": "/no/such/file.npz"}, "Received: '/no/such/file.npz'"),
        ({"name": "mnist5k", "split": "validation"}, "train, test, all. Received: 'validation'. .*--split"),
        ({"name": "fer2013", "split": "public"}, "train, test, all, validation"),
        ({"name": "mnist5k", "limit": 0}, "--limit"),
        ({"name": "mnist5k", "seed": -1}, "--seed"),
        ({"name": "mnist5k", "image_size": (0, 5)}, "--image_size"),
        ({"name": "mnist5k", "image_size": (5,)}, "--image_size"),
    ],
)
def test_refuses(args, message):
    with pytest.raises(UserError, match=message):
        load(**args)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_missing_tfds_set_names_the_command(name, tmp_path):
    with pytest.raises(UserError) as caught:
        load(name, data_dir=tmp_path)
    message = str(caught.value)
    assert f"tfds.load('{name}', data_dir='{tmp_path}/tensorflow_datasets')" in message
    assert "--data_dir" in message
    assert "TFINV_DATA_DIR" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "files", "source"),
    [
        ("att_faces", ["att_faces.zip"], "cam-orl.co.uk"),
        ("fer2013", ["fer2013.csv", "fer2013.tar.gz"], "kaggle.com"),
    ],
)
def test_a_missing_manual_file_says_what_goes_where(name, files, source, tmp_path):
    with pytest.raises(UserError) as caught:
        load(name, data_dir=tmp_path)
    message = str(caught.value)
    assert all(str(tmp_path / "manual" / file) in message for file in files)
    assert source in message
    assert "--data_dir or TFINV_DATA_DIR" in message
    assert "\n" not in message


def test_data_dir_is_the_argument_then_the_variable_then_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert locations.data_dir() == tmp_path / "cache" / "tfinv"
    monkeypatch.setenv("TFINV_DATA_DIR", str(tmp_path / "variable"))
    assert locations.data_dir() == tmp_path / "variable"
    assert locations.data_dir(tmp_path / "argument") == tmp_path / "argument"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locations.data_dir("~/x") == tmp_path / "x"


def test_the_catalogue_knows_the_names_and_what_is_no_data_set(tmp_path):
    assert NAMES == catalogue.DATASETS
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 4, 4, 1), np.uint8), labels=[0, 1])
    (tmp_path / "a.txt").write_text("")
    for name in ("mnist", str(tmp_path), str(tmp_path / "a.npz")):
        catalogue.check_dataset(name)
    for name in ("mnist6k", str(tmp_path / "a.txt"), str(tmp_path / "b.npz")):
        with pytest.raises(UserError) as early:
            catalogue.check_dataset(name)
        with pytest.raises(UserError) as late:
            load(name)
        assert str(early.value) == str(late.value)
    assert catalogue.pretrained_names() == models.pretrained_names()
