"""Files that are no model: each refusal's advice, followed to the letter, gets in."""

import gzip
import io
import json
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

from model_files import SHAPE, refusal, small
from tfinv.importing import legacy, load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.fixture
def saved(model, tmp_path):
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved" / "model.keras")
    return tmp_path / "saved" / "model.keras"


def test_gzip(saved, tmp_path):
    path = tmp_path / "model.keras.gz"
    path.write_bytes(gzip.compress(saved.read_bytes()))
    assert "gunzip" in refusal(path)
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    assert load_classifier(path.with_suffix("")).num_classes == 3


def test_a_zip_file_around_a_model(saved, tmp_path):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(saved, "run/model.keras")
    assert "Unpack it, and pass what is in it." in refusal(path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    assert load_classifier(tmp_path / "run" / "model.keras").num_classes == 3


def test_a_folder_around_a_model(saved, tmp_path):
    path = re.search(r"Pass (.*)\.$", refusal(tmp_path))[1]
    assert load_classifier(path).num_classes == 3
    (tmp_path / "other.h5").write_bytes(b"")
    assert "Pass one of them: other.h5, saved/model.keras." in refusal(tmp_path)


@pytest.mark.parametrize("name", ["model.weights.h5", "model.weights.json"])
def test_weights_alone(name, model, tmp_path):
    model.save_weights(tmp_path / name, max_shard_size=None if name.endswith("h5") else 1)
    assert "the text of model.to_json() as model.json" in refusal(tmp_path / name)
    (tmp_path / "model.json").write_text(model.to_json())
    classifier = load_classifier(tmp_path / name)
    x = np.random.default_rng(0).uniform(size=(2, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(classifier.predict(x), model(x), atol=1e-6)
    assert f"architecture of model.json, weights of {name}" in classifier.notes
    assert load_classifier(tmp_path / "model.json").num_classes == 3


def test_weights_of_another_architecture(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    other = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(5)])
    (tmp_path / "model.json").write_text(other.to_json())
    assert "that fit, one of each" in refusal(tmp_path / "model.weights.h5")
    (tmp_path / "first.json").write_text(model.to_json())
    assert load_classifier(tmp_path / "model.weights.h5").num_classes == 3
    (tmp_path / "second.json").write_text(model.to_json())
    assert "2 pairs that fit" in refusal(tmp_path / "model.weights.h5")


def test_an_architecture_alone(model, tmp_path):
    (tmp_path / "model.json").write_text(model.to_json())
    assert "Put the .h5 file of its weights beside it." in refusal(tmp_path / "model.json")
    (tmp_path / "other.json").write_text("{}")
    assert "no architecture of Keras" in refusal(tmp_path / "other.json")
    (tmp_path / "broken.json").write_text("{")
    assert "a whole model file" in refusal(tmp_path / "broken.json")


def test_a_checkpoint_by_its_prefix(tmp_path):
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(b"")
    (tmp_path / "model.ckpt.index").write_bytes(b"\x00")
    for name in ("model.ckpt", "model.ckpt.index"):
        assert "a TensorFlow checkpoint" in refusal(tmp_path / name)


def test_pickled_weights_are_not_advised_to_be_loaded_elsewhere(model, saved, tmp_path):
    """Keras's own words for arrays of objects advise to allow pickles."""
    buffer = io.BytesIO()
    np.savez(buffer, **{"layers/dense": np.array({"a": 1}, dtype=object)})
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in ("metadata.json", "config.json"):
            new.writestr(name, old.read(name))
        new.writestr("model.weights.npz", buffer.getvalue())
    message = refusal(path)
    assert "don't load it anywhere" in message
    assert "allow_pickle" not in message


def old_file(path, *layers):
    stack = [{"class_name": "InputLayer", "config": {"batch_input_shape": [None, *SHAPE], "name": "x"}}, *layers]
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": stack}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.6.0"
        file.create_group("model_weights").attrs["layer_names"] = np.array([], dtype="S1")
    return path


def test_what_keras_2_alone_had(tmp_path, monkeypatch):
    layer = {"class_name": "LocallyConnected2D", "config": {"name": "local", "filters": 2, "kernel_size": [3, 3]}}
    path = old_file(tmp_path / "model.h5", layer)
    with monkeypatch.context() as patch:
        patch.setattr(legacy, "is_installed", lambda: False)
        assert "pip install 'tfinv[keras2]'" in refusal(path)
    pytest.importorskip("tf_keras")
    message = refusal(path)  # it is installed, and this file has no weights
    assert "pip install" not in message


def test_arguments_that_matter_are_not_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(legacy, "is_installed", lambda: False)
    path = old_file(tmp_path / "model.h5", {"class_name": "Flatten", "config": {"name": "f", "backwards": True}})
    assert "backwards=True of the layer Flatten" in refusal(path)
    path = old_file(tmp_path / "model.h5", {"class_name": "Flatten", "config": {"name": "f", "backwards": None}})
    assert load_classifier(path).num_classes == 16
