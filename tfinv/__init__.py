"""Robustness and privacy of Keras image classifiers: adversarial attacks, model inversions, defences, and their evaluation."""

import importlib
from typing import TYPE_CHECKING, Any

from tfinv import _quiet
from tfinv.version import __version__

if TYPE_CHECKING:
    from tfinv.classifier import Classifier
    from tfinv.importing import load_classifier

__all__ = ["Classifier", "__version__", "audit", "callbacks", "load_classifier"]

_quiet.install()


def __getattr__(name: str) -> Any:
    # TensorFlow comes with the first of them: what needs none, such as the version, does not wait for it.
    if name == "Classifier":
        from tfinv.classifier import Classifier

        return Classifier
    if name == "load_classifier":
        from tfinv.importing import load_classifier

        return load_classifier
    if name == "audit":
        return importlib.import_module("tfinv.auditing.audit").audit
    if name == "callbacks":
        return importlib.import_module("tfinv.callbacks")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
