"""Files from strangers: whatever they carry runs nothing, and whatever is wrong with them is one clear line."""

import json
import pathlib
import pickle
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv import saved_model
from tfinv.attacks import Square
from tfinv.errors import UserError
from tfinv.importing import load_classifier

# Keras 3.15 on NumPy 2.4, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SHAPE = (4, 4, 1)
FLAG = "--allow_unsafe_deserialization"


def small(*layers):
    return keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Flatten(), keras.layers.Dense(3)])


def save(model, path):
    with pytest.MonkeyPatch.context() as patch:  # absl's advice against .h5 is no concern of these tests
        patch.setattr("absl.logging.warning", lambda *_: None)
        model.save(path)
    return path


def refusal(path, **options):
    """The message, which is one line."""
    with pytest.raises(UserError) as error:
        load_classifier(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


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


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "ran"


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
    """What our own look at the configuration may miss, safe mode still stops."""
    path = save(small(trap(marker)), tmp_path / f"model{suffix}")
    marker.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfinv.importing._find_unsafe", lambda config: None)
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


def test_wrong_files(tmp_path):
    assert "an existing model" in refusal(tmp_path / "absent.keras")
    (tmp_path / "folder").mkdir()
    assert "without saved_model.pb" in refusal(tmp_path / "folder")
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "odd.keras").write_bytes(content)
        assert "an unknown or empty file" in refusal(tmp_path / "odd.keras")
    good = save(small(), tmp_path / "good.keras")
    assert "a zip file without config.json" in refusal(edit_zip(good, tmp_path / "bare.keras", {"config.json": None}))
    assert "a whole model file" in refusal(edit_zip(good, tmp_path / "junk.keras", {"config.json": "{"}))
    assert "can load" in refusal(edit_zip(good, tmp_path / "list.keras", {"config.json": "[]"}))
    assert "can load" in refusal(edit_zip(good, tmp_path / "light.keras", {"model.weights.h5": None}))
    weights = tmp_path / "only.weights.h5"
    small().save_weights(weights)
    assert "only weights" in refusal(weights)
    assert "Rename it" in refusal(shutil.copy(good, tmp_path / "model.zip"))
    assert "Rename it" in refusal(shutil.copy(good, tmp_path / "model.h5"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
def test_truncated_files(suffix, kept, tmp_path):
    path = save(small(), tmp_path / f"model{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
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


class Program(tf.Module):
    """A linear classifier whose served function does something else besides."""

    def __init__(self, effect):
        super().__init__()
        self.kernel = tf.Variable(tf.ones((16, 3)))
        self.effect = effect

    @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32, "x")])
    def serve(self, x):
        extra = self.effect(x)
        with tf.control_dependencies([] if extra is None else [extra]):
            return {"scores": tf.reshape(x, (-1, 16)) @ self.kernel}


def write(program, path):
    tf.saved_model.save(program, path, signatures={"serving_default": program.serve})
    return path


EFFECTS = {
    "WriteFile": lambda marker: lambda x: tf.io.write_file(str(marker), "x"),
    "ReadFile": lambda marker: lambda x: tf.io.read_file(str(marker)),
    "PrintV2": lambda marker: lambda x: tf.print("x", output_stream=f"file://{marker}"),
    "MatchingFiles": lambda marker: lambda x: tf.io.matching_files(str(marker)),
    "SaveV2": lambda marker: (
        lambda x: tf.raw_ops.SaveV2(prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    ),
    "RestoreV2": lambda marker: (
        lambda x: tf.raw_ops.RestoreV2(
            prefix=str(marker), tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
    ),
    "PyFunc": lambda marker: lambda x: tf.numpy_function(lambda x: x, [x], tf.float32),
    "EagerPyFunc": lambda marker: lambda x: tf.py_function(lambda x: x, [x], tf.float32),
    "ImmutableConst": lambda marker: (
        lambda x: tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=(1,), memory_region_name=str(marker))
    ),
    "TextLineDataset": lambda marker: lambda x: tf.data.TextLineDataset(str(marker)).reduce(0, lambda s, _: s),
}


@pytest.mark.parametrize("operation", EFFECTS)
def test_saved_model_with_effects_is_refused(operation, tmp_path, marker):
    effect = EFFECTS[operation](marker)
    # Inside a branch, so that a look at the served function alone would not find it.
    path = write(Program(lambda x: tf.cond(tf.shape(x)[0] > -1, lambda: [effect(x), 0][1], lambda: 0)), tmp_path / "m")
    message = refusal(path)
    assert operation in message
    assert FLAG in message
    assert not marker.exists()


def test_saved_model_with_effects_on_demand(tmp_path, marker):
    path = write(Program(EFFECTS["WriteFile"](marker)), tmp_path / "m")
    assert load_classifier(path, allow_unsafe_deserialization=True).num_classes == 3
    assert marker.exists()


def test_plain_saved_models(tmp_path):
    path = write(Program(lambda x: None), tmp_path / "m")
    assert saved_model.suspicious_operations(path) == []
    classifier = load_classifier(path)
    images = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(classifier.predict(images, 2), images.sum((1, 2, 3))[:, None].repeat(3, 1), rtol=1e-5)
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = classifier.logits(x)
    np.testing.assert_array_equal(tape.gradient(logits, x), np.full_like(images, 3))


def test_exports_with_dropout_batch_norm_and_recurrence_are_plain(tmp_path):
    model = small(
        keras.layers.RandomFlip(), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5), keras.layers.Reshape((4, 2)), keras.layers.LSTM(3), keras.layers.Reshape((3, 1)),
    )  # fmt: skip
    model.export(tmp_path / "export", verbose=False)
    assert saved_model.suspicious_operations(tmp_path / "export") == []
    plain = keras.Sequential([keras.Input(SHAPE), *model.layers[1:3], *model.layers[4:]])
    tf.saved_model.save(plain, tmp_path / "saved")  # which does not save the seeds of random layers
    assert saved_model.suspicious_operations(tmp_path / "saved") == []


def test_wrong_saved_models(tmp_path):
    unsigned = tf.Module()
    unsigned.kernel = tf.Variable(1.0)
    tf.saved_model.save(unsigned, tmp_path / "unsigned")
    assert "serving_default" in refusal(tmp_path / "unsigned")
    broken = shutil.copytree(write(Program(lambda x: None), tmp_path / "m"), tmp_path / "broken")
    shutil.rmtree(broken / "variables")
    assert "a whole SavedModel" in refusal(broken)
    for content in (b"", b"hello", (tmp_path / "m" / "saved_model.pb").read_bytes()[:500]):
        (broken / "saved_model.pb").write_bytes(content)
        assert "a whole SavedModel" in refusal(broken)
    assert "--features_layer" in refusal(tmp_path / "m", features_layer="conv")


def test_nothing_is_printed(tmp_path, capfd):
    path = save(small(), tmp_path / "model.keras")
    capfd.readouterr()
    load_classifier(path)
    assert capfd.readouterr() == ("", "")


def test_a_saved_model_without_a_gradient_is_a_black_box(tmp_path):
    class Rounded(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, *SHAPE], tf.uint8)])
        def serve(self, x):
            sums = tf.reduce_sum(tf.cast(x, tf.float32), [1, 2, 3])
            return tf.stack([100.0 - sums, sums - 100.0], 1)

    rounded = Rounded()
    tf.saved_model.save(rounded, tmp_path, signatures={"serving_default": rounded.serve})
    classifier = load_classifier(tmp_path, bounds=(0, 255))
    assert not classifier.differentiable
    bright = np.full((2, *SHAPE), 250, np.float32)
    assert classifier.predict(bright).argmax(1).tolist() == [1, 1]
    assert Square(eps=255.0, queries=20)(classifier, bright, np.ones(2, int)).queries.all()
