"""A module of the user's own, with the layers of a model."""

import json

import h5py
import keras
import pytest

from model_files import SHAPE, refusal, small
from tfinv.errors import UserError
from tfinv.importing import load_classifier
from tfinv.importing.custom_objects import objects_of

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

MODULE = """
import keras

@keras.saving.register_keras_serializable(package="{package}")
class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2

def doubled(x):
    return 2 * x

CUSTOM_OBJECTS = {{"Elsewhere>Old": Halved}}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the working folder, and its name; each test has its own, since Python keeps modules."""
    name = f"layers_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(package=name))
    monkeypatch.chdir(tmp_path)
    with keras.saving.custom_object_scope({}):
        yield name


def test_names_with_and_without_a_package_and_a_dictionary(module):
    objects = objects_of(module)
    assert {"Halved", f"{module}>Halved", "doubled", "Elsewhere>Old"} <= set(objects)
    assert objects["Halved"] is objects[f"{module}>Halved"] is objects["Elsewhere>Old"]
    assert objects["doubled"](3) == 6


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_advice_of_the_refusal_works(suffix, module, tmp_path, monkeypatch):
    monkeypatch.setattr("absl.logging.warning", lambda *_: None)

    class Halved(keras.layers.Layer):
        def call(self, x):
            return x / 2

    path = tmp_path / f"model{suffix}"
    small(Halved()).save(path)
    message = refusal(path)
    assert "Halved" in message
    assert "--custom_objects=MODULE" in message
    assert load_classifier(path, custom_objects=objects_of(module)).num_classes == 3


def test_a_file_of_keras_2_may_name_the_package(module, tmp_path):
    layers = [
        {"class_name": f"{module}>Halved", "config": {"name": "half", "batch_input_shape": [None, *SHAPE]}},
        {"class_name": "Flatten", "config": {"name": "flat"}},
    ]
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        file.attrs["keras_version"] = "2.9.0"
        file.create_group("model_weights").attrs["layer_names"] = [b"half"]
        file["model_weights"].create_group("half").attrs["weight_names"] = []
    assert "Halved" in refusal(tmp_path / "model.h5")
    assert load_classifier(tmp_path / "model.h5", custom_objects=objects_of(module)).num_classes == 16


def test_a_module_that_is_missing_or_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_module_of_layers.py").write_text("1 / 0")
    for name, reason in (("no.such.module", "No module named"), ("failing_module_of_layers", "division by zero")):
        with pytest.raises(UserError, match=reason) as raised:
            objects_of(name)
        assert "Change --custom_objects." in str(raised.value)
    (tmp_path / "odd_module_of_layers.py").write_text("CUSTOM_OBJECTS = 3")
    with pytest.raises(UserError, match="a dictionary"):
        objects_of("odd_module_of_layers")
