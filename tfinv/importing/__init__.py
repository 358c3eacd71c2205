"""Loading a `Classifier` from a file or a folder."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfinv.importing.loading import load_classifier
    from tfinv.importing.probing import probe_preprocessing

__all__ = ["load_classifier", "probe_preprocessing"]

_MODULES = {"load_classifier": "loading", "probe_preprocessing": "probing"}


def __getattr__(name: str) -> Any:
    # TensorFlow comes with the first of them: `kinds`, which tells what a file is, does not wait for it.
    if name in _MODULES:
        return getattr(importlib.import_module(f"tfinv.importing.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
