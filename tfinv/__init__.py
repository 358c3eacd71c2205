"""Is a Keras image classifier robust, is it private, and what did the one cost it of the other?"""

from tfinv import _quiet  # noqa: F401  must come first

# isort: split
from tfinv.classifier import Classifier
from tfinv.importing import load_classifier
from tfinv.version import __version__

__all__ = ["Classifier", "__version__", "load_classifier"]
