"""Reads the model in an untrusted .keras or .h5 file.

Nothing is unpickled. The configuration of a Keras file is first read as data: if it contains code, or names functions that do
more than compute, it is refused before Keras reads it. A configuration of Keras 1 or 2 is repaired, as data too, and then checked
once more; its weights find their layers one by one. What can't be repaired is read by tf_keras, where that is installed.
"""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

import keras

from tfinv.errors import UserError, expected
from tfinv.importing import hub, legacy
from tfinv.importing.loaded import UNSAFE_HINT, Loaded, ReadOptions, innermost
from tfinv.importing.repairs import archives, stores, weights
from tfinv.importing.repairs import config as configs
from tfinv.importing.repairs.archives import Archive
from tfinv.importing.repairs.context import Context, UnknownClass, UnknownOperation, Unrepairable
from tfinv.importing.safety import find_unsafe


def read(path: pathlib.Path, options: ReadOptions) -> Loaded:
    """Reads a .keras or .h5 file, or an unzipped .keras folder.

    Raises:
      UserError: it is damaged, unsafe, or Keras can't load it.
    """
    archive = archives.read(path)
    check(archive.config, path, options)
    cause: Exception | None = None
    if archive.major >= 3:
        try:
            return hub.complete(Loaded(model=_by_keras(archive, options)), archive.config)
        except Exception as error:  # Keras raises whatever its layers raise
            cause = error
    try:
        model, notes = _repaired(archive, options)
        return Loaded(model=model, notes=notes)
    except UserError:
        raise  # the repaired configuration is unsafe
    except Exception as error:
        cause = cause or error
        if archive.major < 3 and legacy.is_installed():
            try:
                return legacy.read(archive, options, cause)
            except Unrepairable:
                pass  # a class that isn't on its list
        unknown = isinstance(error, UnknownClass) and not is_of_safe_mode(cause) and "'kernel_zero'" not in str(cause)
        raise refusal(archive, error if unknown else cause) from cause


def check(config: Any, path: pathlib.Path, options: ReadOptions) -> None:
    """Checks that a configuration contains no code.

    Raises:
      UserError: it does, and that isn't allowed.
    """
    unsafe_part = None if options.unsafe else find_unsafe(config)
    if unsafe_part:
        raise expected("a model file without code", f"{path} with {unsafe_part}", UNSAFE_HINT)


def build(config: Any, path: pathlib.Path, options: ReadOptions) -> tuple[keras.Model, Context]:
    """Builds the model of a configuration of any version, with weights that are still to be read.

    Raises:
      UserError: the configuration contains code, or comes to contain it by the repair.
      Unrepairable: it can't be repaired.
    """
    check(config, path, options)
    context = Context.of(options.custom_objects)
    repaired = configs.repair(config, context)
    check(repaired, path, options)
    model = keras.saving.deserialize_keras_object(
        repaired, custom_objects=options.custom_objects, safe_mode=not options.unsafe
    )
    if not isinstance(model, keras.Model):
        raise Unrepairable(f"a {type(model).__name__} in place of a model")
    return model, context


def _by_keras(archive: Archive, options: ReadOptions) -> keras.Model:
    with archive.named() as path:
        return keras.models.load_model(
            path, custom_objects=options.custom_objects, compile=False, safe_mode=not options.unsafe
        )


def _repaired(archive: Archive, options: ReadOptions) -> tuple[keras.Model, tuple[str, ...]]:
    model, context = build(archive.config, archive.path, options)
    shards = archive.path / "model.weights.json"
    if shards.is_file():
        model.load_weights(shards)
        return model, ("weights of several files", *context.phrases())
    with archive.weights() as file:
        if archive.kind == "hdf5":
            weights.load(model, file, context, version=archive.major)
        else:
            stores.load(model, file, archive.config)
    note = f"configuration of Keras {archive.version} repaired"
    return model, (": ".join([note, "; ".join(context.phrases())] if context.phrases() else [note]),)


def _packages(config: Any) -> set[str]:
    """Packages beside Keras that Keras imports by itself for their layers."""
    if isinstance(config, list):
        return set().union(*map(_packages, config))
    if not isinstance(config, dict):
        return set()
    package = str(config.get("module")).partition(".")[0]
    return _packages(list(config.values())) | ({package} & {"keras_hub", "keras_cv", "keras_nlp"})


def is_of_safe_mode(error: Exception) -> bool:
    """Whether Keras's own check of what a file may run raised the error."""
    return "safe_mode" in str(error)


def refusal(archive: Archive, error: Exception) -> Exception:
    """Returns (does not raise) the error for a model that this Keras can't load."""
    written = f"written by Keras {archive.version} and read by {keras.__version__}"
    package = next((name for name in _packages(archive.config) if importlib.util.find_spec(name) is None), None)
    if package:
        name = package.replace("_", "-")
        return expected(f"the package {name}", f"{archive.path} with layers of it, {written}", f"pip install {name}.")
    if "'kernel_zero'" in str(error):
        return expected(
            "the zero points of layers quantised by GPTQ or AWQ",
            f"{archive.path} without them, {written}: Keras 3.15 doesn't save them",
            "Where it was quantised and is still in memory, save it with model.export('folder'), without random augmentation.",
        )
    if isinstance(error, UnknownClass):
        old = f"If Keras 2 had it: {legacy.INSTALL}. " if archive.major < 3 and not legacy.is_installed() else ""
        return expected(
            "layers and functions of Keras alone",
            f"{archive.path} with {error}, {written}",
            f"{old}If it is of your own, pass --custom_objects=MODULE (custom_objects= in Python), a module that defines it.",
        )
    if archive.major >= 3:
        hint = "Save it again."
    elif legacy.is_installed() or isinstance(error, UnknownOperation):
        hint = "Save it as a folder in the Keras that wrote it: model.save('folder')."
    else:
        hint = f"Install what may read it: {legacy.INSTALL}."
    if is_of_safe_mode(error):
        hint = UNSAFE_HINT
    return expected("a model that this Keras can load", f"{archive.path}, {written} ({innermost(error)})", hint)
