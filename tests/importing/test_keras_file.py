"""Untrusted Keras files: their code is never run, and every problem is reported in one line."""

import json
import pathlib
import pickle
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

from model_files import FLAG, SHAPE, refusal, small
from tfinv.importing import load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def save(model, path):
    with pytest.MonkeyPatch.context() as patch:  # absl's advice against .h5 is no concern of these tests
        patch.setattr("absl.logging.warning", lambda *_: None)
        model.save(path)
    return path


def edit_zip(source, target, replace):
    """Copies a .keras file with some members replaced, or left out where None."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = replace.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def edit_config(source, target, change):
    """Copies a .keras or .h5 file with its configuration changed in place by `change`."""
    if target.suffix == ".keras":
        with zipfile.ZipFile(source) as archive:
            config = json.loads(archive.read("config.json"))
        change(config)
        return edit_zip(source, target, {"config.json": json.dumps(config)})
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return target


def trap(marker):
    """A Lambda layer whose function, once rebuilt and called, leaves a file behind."""
    # As default arguments, since a rebuilt lambda has neither this module's globals nor its imports.
    code = f"lambda x: [__import__('pathlib').Path({str(marker)!r}).touch(), x][1]"
    return keras.layers.Lambda(eval(code), output_shape=SHAPE)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_lambda_runs_nothing(suffix, tmp_path, marker):
    path = save(small(trap(marker)), tmp_path / f"model{suffix}")
    marker.unlink(missing_ok=True)  # building the model ran it
    message = refusal(path)
    assert FLAG in message
    assert "lambda" in message
    assert not marker.exists()
    load_classifier(path, allow_unsafe_deserialization=True)
    assert marker.exists()  # so the trap was a real one


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_refuses_the_lambda_too(suffix, tmp_path, marker):
    """Keras's safe mode is a second line of defence behind the check of the configuration."""
    path = save(small(trap(marker)), tmp_path / f"model{suffix}")
    marker.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfinv.importing.keras_file.find_unsafe", lambda config: None)
        assert FLAG in refusal(path)
    assert not marker.exists()


def test_lambda_of_keras_2_is_refused(tmp_path, marker):
    path = save(small(trap(marker)), tmp_path / "model.h5")
    marker.unlink(missing_ok=True)

    def to_keras_2(config):
        layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Lambda")
        inner = layer["config"]["function"]["config"]
        layer["config"].update(function=[inner["code"], None, None], function_type="lambda")

    assert FLAG in refusal(edit_config(path, tmp_path / "old.h5", to_keras_2))
    assert not marker.exists()


GADGETS = [
    {"module": "os", "class_name": "system", "registered_name": None},
    {"module": "os", "class_name": "function", "registered_name": "system", "config": "system"},
    {"module": "builtins", "class_name": "function", "registered_name": "eval", "config": "eval"},
    {"module": "keras.utils", "class_name": "function", "registered_name": "get_file", "config": "get_file"},
    {"module": "keras.models", "class_name": "function", "registered_name": "x", "config": "load_model"},
    {"module": "keras.src.utils.file_utils", "class_name": "function", "config": "get_file"},
    {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None},
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "registered_name": None},
]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: f"{gadget['module']}.{gadget['class_name']}")
@pytest.mark.parametrize("place", ["layer", "activation"])
def test_named_functions_run_nothing(suffix, gadget, place, tmp_path, marker):
    path = save(small(), tmp_path / f"model{suffix}")
    command = f"touch {marker}"

    def change(config):
        layer = config["config"]["layers"][-1]
        call = {"config": {"command": command, "name": "x", "origin": marker.as_uri()}} | gadget
        if place == "layer":
            layer.update(call)
        else:
            layer["config"]["activation"] = call

    refusal(edit_config(path, tmp_path / f"bad{suffix}", change))
    assert not marker.exists()


def write_pickle(path, marker):
    class Payload:
        def __reduce__(self):
            return (pathlib.Path.touch, (marker,))

    content = pickle.dumps(Payload())
    path.write_bytes(content)
    return content


def test_pickles_are_never_opened(tmp_path, marker):
    for name in ("model.keras", "model.h5", "model.pkl", "model.pt"):
        content = write_pickle(tmp_path / name, marker)
        assert "a pickle" in refusal(tmp_path / name)
    torch = tmp_path / "torch.keras"
    with zipfile.ZipFile(torch, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    assert "PyTorch" in refusal(torch)
    assert not marker.exists()


def test_a_pretrained_model_by_its_name_of_the_commands_is_told_how_python_gets_it():
    message = refusal(pathlib.Path("pretrained:mnist-natural"))
    imports, expression = message.partition("In Python: ")[2].removesuffix(".").split("; ")
    names = {}
    exec(imports, names)
    assert eval(expression, names).num_classes == 10


def test_wrong_files(tmp_path):
    assert "an existing model" in refusal(tmp_path / "absent.keras")
    (tmp_path / "folder").mkdir()
    assert "without saved_model.pb" in refusal(tmp_path / "folder")
    for content, kind in ((b"", "an empty file"), (b"hello", "an unknown file"), (b"\x89PNG\r\n\x1a\n", "a picture")):
        (tmp_path / "odd.keras").write_bytes(content)
        assert kind in refusal(tmp_path / "odd.keras")
    good = save(small(), tmp_path / "good.keras")
    assert "a zip file without config.json" in refusal(edit_zip(good, tmp_path / "bare.keras", {"config.json": None}))
    assert "a whole model file" in refusal(edit_zip(good, tmp_path / "junk.keras", {"config.json": "{"}))
    assert "can load" in refusal(edit_zip(good, tmp_path / "list.keras", {"config.json": "[]"}))
    assert "can load" in refusal(edit_zip(good, tmp_path / "light.keras", {"model.weights.h5": None}))
    weights = tmp_path / "only.weights.h5"
    small().save_weights(weights)
    assert "only weights" in refusal(weights)


@pytest.mark.parametrize("name", ["model.zip", "model.h5", "model"])
def test_the_content_counts_and_not_the_suffix(name, tmp_path):
    good = save(small(), tmp_path / "good.keras")
    assert load_classifier(shutil.copy(good, tmp_path / name)).num_classes == 3


@pytest.mark.parametrize("name", ["model.keras", "model.zip", "model"])
def test_the_content_of_hdf5_counts_too(name, tmp_path):
    good = save(small(), tmp_path / "good.h5")
    assert load_classifier(shutil.copy(good, tmp_path / name)).num_classes == 3


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.95])
def test_truncated_files(suffix, fraction, tmp_path):
    path = save(small(), tmp_path / f"model{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    assert "whole model file" in refusal(path)


class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_custom_layers(suffix, tmp_path):
    path = save(small(Doubled()), tmp_path / f"model{suffix}")
    message = refusal(path)
    assert f"written by Keras {keras.__version__}" in message
    assert "custom_objects=" in message
    assert FLAG not in message  # it would not help
    assert load_classifier(path, custom_objects={"Doubled": Doubled}).num_classes == 3


def test_bounds_outputs_and_layer_are_passed_on(tmp_path):
    path = save(small(keras.layers.Conv2D(2, 3, name="conv"), keras.layers.ReLU(name="relu")), tmp_path / "m.keras")
    classifier = load_classifier(path, (0, 255), outputs="logits", features_layer="relu")
    assert classifier.bounds == (0, 255)
    assert classifier.logits_source == "outputs declared to be logits"
    assert np.min(classifier.features(np.zeros((1, *SHAPE)))) >= 0


def test_nothing_is_printed(tmp_path, capfd):
    path = save(small(), tmp_path / "model.keras")
    capfd.readouterr()
    load_classifier(path)
    assert capfd.readouterr() == ("", "")
