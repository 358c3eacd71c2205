"""Weights and architecture in two files: `model.save_weights()`, and `model.to_json()` beside it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import h5py
import keras

from tfinv.errors import UserError, expected
from tfinv.importing import keras_file
from tfinv.importing.loaded import Loaded, ReadOptions, innermost
from tfinv.importing.repairs import hdf5, stores, weights
from tfinv.importing.repairs.context import Unrepairable

_LARGEST = 1 << 26  # bytes of an architecture
_HINT = (
    "Put its architecture beside it, the text of model.to_json() as model.json, or save the whole model with "
    "model.save('model.keras')."
)


def read(path: pathlib.Path, options: ReadOptions) -> Loaded:
    """Reads weights with the architecture that lies beside them, or an architecture with the weights that do.

    Args:
      path: of either.
      options: as for a Keras file.

    Raises:
      UserError: the other file is missing, doesn't fit, or is one of several that do.
    """
    config = _architecture(path)
    beside = sorted(item for item in path.parent.iterdir() if item.is_file() and item != path)
    if config is None:
        pairs = [(other, path, text) for other in beside if (text := _architecture(other)) is not None]
        what, hint = "which holds only weights", _HINT
    else:
        parts = {part for other in beside for part in _shards(other)}
        pairs = [(path, other, config) for other in beside if _are_weights(other) and other.name not in parts]
        what, hint = "an architecture without weights", "Put the .h5 file of its weights beside it."
    if not pairs:
        raise expected("a whole model", f"{path}, {what}", hint)
    fitting, causes = [], []
    for architecture, values, config in pairs:
        try:
            fitting.append((architecture, values, *_load(config, architecture, values, options)))
        except UserError:
            raise  # code in the architecture
        except Exception as error:  # Keras raises whatever its layers raise
            causes.append(f"{architecture.name} and {values.name}: {innermost(error)}")
    if len(fitting) != 1:
        reason = f"{len(fitting)} pairs that fit" if fitting else "; ".join(causes[:2])
        raise expected(
            "an architecture and weights that fit, one of each", f"{path} with {reason}", f"Leave one beside it. {hint}"
        )
    architecture, values, model, notes = fitting[0]
    return Loaded(model=model, notes=(f"architecture of {architecture.name}, weights of {values.name}", *notes))


def _architecture(path: pathlib.Path) -> Any:
    """The configuration in a JSON file; None if it is no such file."""
    if path.suffix != ".json" or path.stat().st_size > _LARGEST:
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config = json.loads(config) if isinstance(config, str) else config  # to_json() saved by json.dump
    except (ValueError, OSError, RecursionError):
        return None
    return config if isinstance(config, dict) and "class_name" in config else None


def _shards(path: pathlib.Path) -> set[str]:
    """Names of the files among which a list of weights, model.weights.json, says that they are shared."""
    if not path.name.endswith(".weights.json"):
        return set()
    try:
        shares = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
        return {str(name) for share in shares for name in (share if isinstance(share, list) else [share])}
    except (ValueError, OSError, KeyError, AttributeError, TypeError, RecursionError):
        return set()


def _are_weights(path: pathlib.Path) -> bool:
    if path.name.endswith(".weights.json"):
        return True
    try:
        with h5py.File(path, "r") as file:
            return "model_config" not in file.attrs
    except OSError:
        return False


def _load(
    config: dict[str, Any], architecture: pathlib.Path, values: pathlib.Path, options: ReadOptions
) -> tuple[keras.Model, tuple[str, ...]]:
    model, context = keras_file.build(config, architecture, options)
    if values.suffix == ".json":
        model.load_weights(values)
        return model, context.phrases()
    with h5py.File(values, "r") as file:
        hdf5.check(file)
        if "layer_names" in file.attrs or "model_weights" in file:
            version = str(config.get("keras_version", "2")).partition(".")[0]
            weights.load(model, file, context, version=int(version) if version.isdigit() else 2, by_order=True)
        elif len(file):
            stores.load(model, file, config)
        else:
            raise Unrepairable("no weights")
    return model, context.phrases()
