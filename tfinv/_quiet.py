"""Imports TensorFlow without its start-up chatter, and makes sure that Keras runs on it.

The C++ side logs before its log level can be set (the lines that begin "All log messages before
absl::InitializeLog()"), so no variable silences it: for the length of the import, file descriptor 2 leads nowhere. A failed
import still shows, since Python prints its traceback after the descriptor is back.
"""

import logging
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _import_tensorflow() -> None:
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr to silence, as under pythonw
        import tensorflow  # noqa: F401

        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        # The device look-up logs too. A worker of a cluster may compute nothing before it has joined.
        if "TF_CONFIG" in os.environ:
            tf.config.list_physical_devices()
        else:
            tf.constant(0.0)
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


if "tensorflow" not in sys.modules:
    _import_tensorflow()

# Every classifier's logits are a graph of their own, traced once. TensorFlow counts the traces of a method over all objects, and
# would warn whoever has many classifiers of tracing one over and over.
_RETRACED = re.compile("bound method Predictor.logits of .* triggered tf.function retracing", re.DOTALL)
logging.getLogger("tensorflow").addFilter(lambda record: not _RETRACED.search(record.getMessage()))

import keras  # noqa: E402

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Expected Keras on its TensorFlow backend. Received: {keras.backend.backend()}. "
        "Set KERAS_BACKEND=tensorflow, or remove it from keras.json."
    )
