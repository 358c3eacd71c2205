"""The kind of a model's file or folder, told by its content."""

from __future__ import annotations

import json
import pathlib
import zipfile

from tfinv.errors import expected

FORMATS = "a .keras file, an .h5 or .hdf5 file, a SavedModel folder, or a .tflite or .onnx file"
_SAVE = "Save the model with model.save('model.keras')."
_AGAIN = "Download or copy it again."
_ONNX = "Export it with torch.onnx.export to an .onnx file, which tfinv attacks as a black box."
_WHOLE = "Build the model in Python as its author did, load these weights, and save it with model.save('model.keras')."
_TORCH = ("a PyTorch file", _ONNX)
_PICKLE = ("a pickle, which can run any code and is never opened", "It holds pickled objects: don't load it anywhere.")
_TORCH_PICKLE = ("a pickle of PyTorch, which can run any code and is never opened", _ONNX)
_CHECKPOINT = ("a TensorFlow checkpoint, which holds weights and no model", _WHOLE)
# By the first bytes: what it is, and what to do.
_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS in place of the file", "Run git lfs pull where it was cloned."),
    (b"\x1f\x8b", "a file compressed by gzip", "Unpack it first: gunzip, or tar -xzf."),
    (b"\xfd7zXZ\x00", "a file compressed by xz", "Unpack it first: unxz, or tar -xJf."),
    (b"BZh", "a file compressed by bzip2", "Unpack it first: bunzip2, or tar -xjf."),
    (b"\x28\xb5\x2f\xfd", "a file compressed by zstd", "Unpack it first: unzstd."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first: 7z x."),
    (b"Rar!", "a RAR archive", "Unpack it first: unrar x."),
    (b"\x93NUMPY", "an array of NumPy", _SAVE),
    (b"\x89PNG", "a picture", "Change the path of the model."),
    (b"\xff\xd8\xff", "a picture", "Change the path of the model."),
)
_MODELS = (".keras", ".h5", ".hdf5", ".tflite", ".onnx")


def kind_of(path: pathlib.Path) -> str:
    """Returns the name of the reader: "keras", "hdf5", "keras_folder", "architecture", "weights", "saved_model", "tflite"
    or "onnx".

    Raises:
      UserError: there is nothing, or it is of another kind.
    """
    if not path.exists():
        if list(path.parent.glob(f"{path.name}.data-?????-of-?????")):
            raise expected(FORMATS, f"{path}, {_CHECKPOINT[0]}", _WHOLE)
        raise expected("an existing model", path, _absent(path))
    if path.is_dir():
        return _kind_of_folder(path)
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError as error:
        raise expected("a file that can be read", f"{path} ({error})", "Change the path of the model.") from error
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _kind_of_hdf5(path)
    if head[4:8] == b"TFL3":
        return "tflite"
    if path.suffix == ".onnx" and not head.lstrip().startswith((b"<", b"version https")) and head:
        return "onnx"
    if head.lstrip().startswith(b"{"):
        return _kind_of_json(path)
    what, advice = _other(path, head)
    raise expected(FORMATS, f"{path}, {what}", advice)


def _absent(path: pathlib.Path) -> str:
    prefix, _, name = path.name.partition(":")
    if prefix == "pretrained" and name:  # as the commands write it
        return f'In Python: from tfinv import Classifier, models; Classifier.from_keras(models.pretrained("{name}")).'
    return "Change the path of the model."


def _kind_of_folder(path: pathlib.Path) -> str:
    names = {item.name for item in path.iterdir()}
    if "saved_model.pb" in names:
        return "saved_model"
    if "config.json" in names and names & {"model.weights.h5", "model.weights.npz", "model.weights.json"}:
        return "keras_folder"
    what, advice = _other_folder(path, names)
    raise expected(FORMATS, f"the folder {path}{what}", advice)


def _other_folder(path: pathlib.Path, names: set[str]) -> tuple[str, str]:
    if names & {"_CHECKPOINT_METADATA", "manifest.ocdbt", "ocdbt.process_0", "_METADATA"}:
        return ", a checkpoint of Orbax, which holds weights and no model", _WHOLE
    if "checkpoint" in names or any(name.endswith(".index") for name in names):
        return f", {_CHECKPOINT[0]}", _WHOLE
    if "Manifest.json" in names and path.suffix == ".mlpackage":
        return ", a Core ML model", "Pass the model that it was converted from."
    if "model.json" in names and any(name.endswith(".bin") for name in names):
        return _TFJS
    if "pytorch_model.bin" in names or "model.safetensors" in names:
        return ", a PyTorch model", _ONNX
    models = [item for item in sorted(path.rglob("*")) if item.suffix in _MODELS and item.is_file()]
    models += [item.parent for item in sorted(path.rglob("saved_model.pb"))]
    if len(models) == 1:
        return ", which is no model but holds one", f"Pass {models[0]}."
    if models:
        shown = ", ".join(str(model.relative_to(path)) for model in models[:5])
        return f", which holds {len(models)} models", f"Pass one of them: {shown}."
    return " without saved_model.pb or config.json", "Change the path of the model."


_TFJS = (
    ", a model of TensorFlow.js",
    "Convert it: tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras model.json model.h5.",
)


def _kind_of_zip(path: pathlib.Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise expected("a whole model file", f"{path} ({error})", _AGAIN) from error
    if "config.json" in names:
        return "keras"
    what, advice = _other_zip(names)
    raise expected(FORMATS, f"{path}, {what}", advice)


def _other_zip(names: list[str]) -> tuple[str, str]:
    if any(name.endswith("data.pkl") for name in names):
        return _TORCH
    if names and all(name.endswith(".npy") for name in names):
        return "arrays of NumPy", _WHOLE
    models = (*_MODELS, "saved_model.pb", "/config.json")
    inner = [name for name in names if name.endswith(models) and name != "model.weights.h5"]
    if inner:
        return f"a zip file with {inner[0]} in it", "Unpack it, and pass what is in it."
    return "a zip file without config.json", _SAVE


def _kind_of_hdf5(path: pathlib.Path) -> str:
    import h5py  # which no other kind of file needs

    try:
        with h5py.File(path, "r") as file:
            return "hdf5" if "model_config" in file.attrs else "weights"
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise expected("a whole model file", f"{path} ({' '.join(str(error).split())})", _AGAIN) from error


def _kind_of_json(path: pathlib.Path) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise expected("a whole model file", f"{path} ({error})", _AGAIN) from error
    if "modelTopology" in content:
        raise expected(FORMATS, f"{path}{_TFJS[0]}", _TFJS[1])
    if "class_name" in content:
        return "architecture"
    if "weight_map" in content:
        return "weights"
    raise expected(FORMATS, f"{path}, a JSON file that is no architecture of Keras", "Change the path of the model.")


def _other(path: pathlib.Path, head: bytes) -> tuple[str, str]:
    """Name of a file that is no model, and advice."""
    if not head:
        return "an empty file", _AGAIN
    for start, what, advice in _HEADS:
        if head.startswith(start):
            return what, advice
    if head.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return (
            "a web page in place of the file",
            "Download the file itself: its raw link, and signed in if it needs that.",
        )
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "weights as safetensors, which hold no model", _ONNX
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return _TORCH_PICKLE if path.suffix in (".pt", ".pth", ".bin") else _PICKLE
    if path.suffix == ".index" or ".data-" in path.name:
        return _CHECKPOINT
    if path.name == "saved_model.pb":
        return "a part of a SavedModel", f"Pass its folder, {path.parent}."
    if path.suffix == ".pb":
        return (
            "a frozen graph of TensorFlow 1",
            "Convert it: python -m tf2onnx.convert --graphdef FILE --inputs NAME:0 --outputs NAME:0 --output model.onnx.",
        )
    if path.suffix == ".mlmodel":
        return "a Core ML model", "Pass the model that it was converted from."
    return "an unknown file", _SAVE
