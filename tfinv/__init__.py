"""Is a Keras image classifier robust, is it private, and what did the one cost it of the other?"""

import os

# Before the first import of TensorFlow: its C++ start-up notices concern nobody who reads our output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras

from tfinv.version import __version__

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Expected Keras on its TensorFlow backend. Received: {keras.backend.backend()}. "
        "Set KERAS_BACKEND=tensorflow, or remove it from keras.json."
    )

__all__ = ["__version__"]
