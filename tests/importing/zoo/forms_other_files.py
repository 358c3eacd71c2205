"""Files that are no model, and what each refusal advises."""

import gzip
import io
import json
import lzma
import pickle
import zipfile

import h5py
import keras
import numpy as np

from zoo import Built, Form

SHAPE = (4, 4, 1)


def small():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])


def refused(path):
    return Built(path, np.zeros((1, *SHAPE), np.float32), None)


def content(name, data):
    """A build that writes these bytes."""

    def build(folder):
        (folder / name).write_bytes(data)
        return refused(folder / name)

    return build


def packed(*names):
    """A zip file with empty members of these names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


def filled(*names):
    """A build of a folder with empty files of these names."""

    def build(folder):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"")
        return refused(folder)

    return build


def cut(suffix, fraction):
    def build(folder):
        path = folder / f"model{suffix}"
        keras.saving.save_model(small(), path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * fraction)])
        return refused(path)

    return build


def compressed(module, suffix):
    def build(folder):
        small().save(folder / "model.keras")
        path = folder / f"model.keras{suffix}"
        path.write_bytes(module.compress((folder / "model.keras").read_bytes()))
        return refused(path)

    return build


def one_model(folder):
    (folder / "run" / "best").mkdir(parents=True)
    small().save(folder / "run" / "best" / "model.keras")
    (folder / "run" / "log.txt").write_text("")
    return refused(folder / "run")


def only_weights(folder):
    small().save_weights(folder / "model.weights.h5")
    return refused(folder / "model.weights.h5")


def lambda_of_keras_2(folder):
    """Its bytes are no program."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, *SHAPE], "name": "x"}},
        {"class_name": "Lambda", "config": {"name": "l", "function": ["", None, None], "function_type": "lambda"}},
    ]
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        file.attrs["keras_version"] = "2.3.1"
        file.create_group("model_weights").attrs["layer_names"] = np.array([], dtype="S1")
    return refused(folder / "model.h5")


def unknown_operation(folder):
    """An operation that reads files is in no table."""
    inputs = {
        "class_name": "InputLayer",
        "name": "x",
        "config": {"batch_input_shape": [None, *SHAPE], "name": "x"},
        "inbound_nodes": [],
    }
    read = {
        "class_name": "TFOpLambda",
        "name": "read",
        "config": {"name": "read", "function": "io.read_file"},
        "inbound_nodes": [["x", 0, 0, {}]],
    }
    config = {"name": "m", "layers": [inputs, read], "input_layers": [["x", 0, 0]], "output_layers": [["read", 0, 0]]}
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["keras_version"] = "2.9.0"
        file.create_group("model_weights").attrs["layer_names"] = np.array([], dtype="S1")
    return refused(folder / "model.h5")


def other(name, advice, build, refusal):
    return Form("Other files", name, f"Refused: {advice}", build, refusal=refusal)


ONNX = "export it to .onnx."
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
SAFE = (2).to_bytes(8, "little") + b"{}"
REBUILD = "build the model as its author did, load the weights, save it whole."

FORMS = [
    other("a pointer of Git LFS", "git lfs pull.", content("model.h5", LFS), "Run git lfs pull"),
    other("an empty file", "download it again.", content("model.keras", b""), "an empty file"),
    other(
        "a web page in place of the file",
        "its raw link.",
        content("model.h5", b"\n<!DOCTYPE html><html>"),
        "a web page",
    ),
    other("a gzip file", "gunzip.", compressed(gzip, ".gz"), "gunzip"),
    other("an xz file", "unxz.", compressed(lzma, ".xz"), "unxz"),
    other("a PyTorch file", ONNX, content("model.pt", packed("archive/data.pkl")), "torch.onnx.export"),
    other("an old PyTorch file", ONNX, content("model.pth", pickle.dumps({"a": 1})), "torch.onnx.export"),
    other("a pickle", "don't load it.", content("model.pkl", pickle.dumps({"a": 1})), "don't load it anywhere"),
    other("safetensors", ONNX, content("model.safetensors", SAFE), "safetensors"),
    other("an Orbax checkpoint", REBUILD, filled("_CHECKPOINT_METADATA", "manifest.ocdbt"), "Orbax"),
    other("a TensorFlow checkpoint", REBUILD, filled("checkpoint", "a.ckpt.index"), "a TensorFlow checkpoint"),
    other("TensorFlow.js", "convert it.", content("model.json", b'{"modelTopology": {}}'), "tensorflowjs_converter"),
    other(
        "a folder of TensorFlow.js",
        "convert it.",
        filled("model.json", "group1-shard1of1.bin"),
        "tensorflowjs_converter",
    ),
    other("a frozen graph", "convert it to .onnx.", content("model.pb", b"\n\x05graph"), "tf2onnx"),
    other("Core ML", "pass its source.", content("model.mlmodel", b"\x08\x01"), "Core ML"),
    other("arrays of NumPy", REBUILD, content("model.npz", packed("arr_0.npy")), "arrays of NumPy"),
    other("a zip file around a model", "unpack it.", content("model.zip", packed("run/model.h5")), "Unpack it"),
    other("a broken zip file", "download it again.", cut(".keras", 0.6), "a whole model file"),
    other("a broken HDF5 file", "download it again.", cut(".h5", 0.6), "a whole model file"),
    other("a folder with one model in it", "pass the file.", one_model, "model.keras."),
    other("weights alone", "put model.to_json() beside it, or save the whole model.", only_weights, "model.to_json()"),
    other(
        "a Lambda layer of Keras 2",
        "--allow_unsafe_deserialization.",
        lambda_of_keras_2,
        "--allow_unsafe_deserialization",
    ),
    other("an operation that does more than compute", "named.", unknown_operation, "io.read_file"),
]
