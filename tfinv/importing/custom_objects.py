"""Custom layers and functions of a model, from a module of its owner."""

import importlib
import inspect
import os
import sys
from typing import Any

import keras

from tfinv.errors import expected


def objects_of(module: str) -> dict[str, Any]:
    """Imports a module, whose code runs, and returns its classes and functions for `load_classifier`.

    Each is under its own name, and under the one that it is registered by, "Package>Name", too. A dictionary `CUSTOM_OBJECTS` in
    the module adds its entries, as where a file has another name for a class.

    Args:
      module: its dotted name; modules of the working folder are found, too.

    Raises:
      UserError: there is no such module, its import fails, or its `CUSTOM_OBJECTS` is no dictionary.
    """
    sys.path.insert(0, os.getcwd())
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # the module's code may raise anything
        reason = f"{module} ({type(error).__name__}: {error})"
        raise expected("a Python module that can be imported", reason, "Change --custom_objects.") from error
    finally:
        sys.path.remove(os.getcwd())
    values = {
        name: value for name, value in vars(imported).items() if inspect.isclass(value) or inspect.isfunction(value)
    }
    registered = {keras.saving.get_registered_name(value): value for value in values.values()}
    extra = getattr(imported, "CUSTOM_OBJECTS", {})
    if not isinstance(extra, dict):
        raise expected("a dictionary as CUSTOM_OBJECTS", f"{type(extra).__name__} in {module}", "Change the module.")
    return {**registered, **values, **extra}
