"""Is a Keras image classifier robust, is it private, and what did the one cost it of the other?"""

from tfinv import _quiet  # noqa: F401  must come first

# isort: split
import keras

from tfinv.version import __version__

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Expected Keras on its TensorFlow backend. Received: {keras.backend.backend()}. "
        "Set KERAS_BACKEND=tensorflow, or remove it from keras.json."
    )

__all__ = ["__version__"]
