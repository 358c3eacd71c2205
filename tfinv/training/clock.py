"""How long the whole epochs of a training took, in all the runs that it took; what a kill interrupted is not counted."""

import os
import pathlib
import time

import keras

from tfinv import files


class Clock(keras.callbacks.Callback):
    """Adds up the seconds of all epochs, measurements on held-out images among them, in a file.

    Args:
      path: of the file, which a training that goes on adds to.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self._path, self._begin = pathlib.Path(path), 0.0

    @property
    def total(self) -> float:
        """Seconds so far; 0 before the first epoch has ended."""
        return float(files.read_json(self._path)) if self._path.exists() else 0.0

    def on_train_begin(self, logs=None):
        """Starts, with the compilation of the first step."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the total."""
        now = time.perf_counter()
        files.write_json(self._path, self.total + now - self._begin)
        self._begin = now
