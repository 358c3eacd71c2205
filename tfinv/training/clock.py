"""Duration of a training, summed over its runs; an epoch that a kill interrupted is not counted."""

import os
import time

import keras

from tfinv import files, paths


class Clock(keras.callbacks.Callback):
    """Sums the seconds of all epochs, including measurements on held-out images, in a file.

    Args:
      path: of the file, to which a resumed training adds.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self._path, self._start = paths.expand(path), 0.0

    @property
    def total(self) -> float:
        """Seconds so far; 0 before the end of the first epoch."""
        return float(files.read_json(self._path)) if self._path.exists() else 0.0

    def on_train_begin(self, logs=None):
        """Starts the clock, before the first step is compiled."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the total."""
        now = time.perf_counter()
        files.write_json(self._path, self.total + now - self._start)
        self._start = now
