"""Loads a classifier from a file or folder that may come from a stranger.

Nothing is unpickled. The configuration of a Keras file is read as data first: one that carries code, or names functions that
do more than compute, is refused before Keras sees it, whatever Keras itself would make of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import h5py
import keras

from tfinv import saved_model
from tfinv.classifier import Classifier, Outputs
from tfinv.errors import UserError, expected

_CODE_CLASSES = {"__lambda__", "TorchModuleWrapper", "TFSMLayer"}
_FUNCTION_MODULES = {
    "activations", "constraints", "initializers", "layers", "losses", "metrics", "ops", "random", "regularizers",
}  # fmt: skip
_UNSAFE = "If you trust its author, pass --allow_unsafe_deserialization."
_FORMATS = "a .keras file, an .h5 or .hdf5 file, or a SavedModel folder"


def load_classifier(
    path: str | os.PathLike,
    bounds: tuple[float, float] = (0.0, 1.0),
    *,
    outputs: Outputs | None = None,
    features_layer: str | None = None,
    allow_unsafe_deserialization: bool = False,
    custom_objects: Mapping[str, Any] | None = None,
) -> Classifier:
    """Loads a .keras file, an .h5 file or a SavedModel folder as a `Classifier`.

    Args:
      path: the file or folder.
      bounds: the range of the pixels the model takes; (0, 255) if it rescales them itself.
      outputs: "logits" or "probabilities" to say what it gives; None to find out.
      features_layer: the layer whose output `features` gives; None for the last map, see `tfinv.features`. Keras files only.
      allow_unsafe_deserialization: whether to run code that the file carries.
      custom_objects: the layers and functions of your own that a Keras file names.

    Raises:
      UserError: it is missing, damaged, of another format, unsafe, or no image classifier.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise expected("an existing model", path, "Change the path of the model.")
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise expected(_FORMATS, f"the folder {path} without saved_model.pb", "Change the path of the model.")
        if features_layer is not None:
            raise expected("a .keras or .h5 file for features_layer", path, "Leave out --features_layer.")
        call, shape = saved_model.load(path, allow_unsafe_deserialization)
        classifier = Classifier._from_function(call, shape, None, bounds, outputs, differentiable=False)
        return dataclasses.replace(classifier, differentiable=classifier._has_gradient())
    model = _load_keras(path, allow_unsafe_deserialization, custom_objects)
    return Classifier.from_keras(model, bounds, outputs=outputs, features_layer=features_layer)


def _load_keras(path: pathlib.Path, unsafe: bool, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    config, version = _read_config(path)
    if not unsafe:
        found = _find_unsafe(config)
        if found:
            raise expected("a model file without code", f"{path} with {found}", _UNSAFE)
    try:
        return keras.models.load_model(
            path, custom_objects=dict(custom_objects or {}), compile=False, safe_mode=not unsafe
        )
    except Exception as error:  # Keras raises whatever its layers raise
        reason = saved_model.first_line(error)
        raise expected(
            "a model that this Keras can load",
            f"{path}, written by Keras {version} and read by {keras.__version__} ({reason})",
            "Register its own layers or pass custom_objects=, or load it in the Keras that wrote it and export it "
            f"with model.export(). {_UNSAFE if 'safe_mode' in str(error) else ''}".strip(),
        ) from error


def _read_config(path: pathlib.Path) -> tuple[Any, str]:
    """The configuration of a Keras file as JSON values, and the version of Keras that wrote it."""
    with open(path, "rb") as f:
        magic = f.read(8)
    try:
        if magic.startswith(b"PK\x03\x04"):
            _check_suffix(path, ".keras")
            return _read_zip(path)
        if magic == b"\x89HDF\r\n\x1a\n":
            _check_suffix(path, ".h5", ".hdf5")
            return _read_hdf5(path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise expected("a whole model file", f"{path} ({saved_model.first_line(error)})", "Save it again.") from error
    kind = "a pickle, which can run any code and is never opened" if _is_pickle(magic) else "an unknown or empty file"
    raise expected(_FORMATS, f"{path}, {kind}", "Save the model with model.save('model.keras').")


def _is_pickle(magic: bytes) -> bool:
    return len(magic) > 1 and magic[0] == 0x80 and 2 <= magic[1] <= 5


def _check_suffix(path: pathlib.Path, *suffixes: str) -> None:
    """Keras goes by the suffix, so a file whose content says otherwise would be opened as something else."""
    if path.suffix not in suffixes:
        raise expected(f"the suffix {' or '.join(suffixes)} for such a file", path, "Rename it if it is a Keras model.")


def _read_zip(path: pathlib.Path) -> tuple[Any, str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names:
            torch = any(name.endswith("data.pkl") for name in names)
            raise expected(
                _FORMATS,
                f"{path}, {'a PyTorch file' if torch else 'a zip file without config.json'}",
                "Save the model with model.save('model.keras').",
            )
        metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
        return json.loads(archive.read("config.json")), metadata.get("keras_version", "of unknown version")


def _read_hdf5(path: pathlib.Path) -> tuple[Any, str]:
    with h5py.File(path, "r") as file:
        config, version = (file.attrs.get(name) for name in ("model_config", "keras_version"))
        if config is None:
            raise expected(
                "a whole model", f"{path}, which holds only weights", "Save the model with model.save('model.keras')."
            )
        return json.loads(config), _text(version or "of unknown version")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _find_unsafe(config: Any) -> str | None:
    """Names the first part of a configuration that carries code or a function that may do more than compute.

    Keras 2 kept the code of a Lambda layer as a list or string of marshalled bytes, Keras 3 as "__lambda__".
    """
    if isinstance(config, list):
        return next((found for item in config if (found := _find_unsafe(item))), None)
    if not isinstance(config, dict):
        return None
    name, inner, module = config.get("class_name"), config.get("config"), config.get("module")
    if isinstance(name, str) and name.split(">")[-1] in _CODE_CLASSES:
        return "code of its own (a lambda)" if name == "__lambda__" else f"a {name}"
    if isinstance(inner, dict) and (inner.get("function_type") == "lambda" or isinstance(inner.get("function"), list)):
        return "code of its own (a lambda)"
    if name == "function" and isinstance(module, str):
        package, _, rest = module.partition(".")
        computes = rest.split(".")[0] in _FUNCTION_MODULES or inner == "preprocess_input"
        if package == "keras" and not computes:
            return f"the function {module}.{inner}"
    return _find_unsafe(list(config.values()))
