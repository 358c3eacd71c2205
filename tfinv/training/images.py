"""Reconstructions of the decoder as images in TensorBoard."""

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv import paths


class ReconstructionImages(keras.callbacks.Callback):
    """Writes the decoder's reconstructions of a few images after each epoch, below the images.

    Args:
      images: (n, H, W, C) in [0, 1].
      logdir: TensorBoard's folder.
    """

    def __init__(self, images: np.ndarray, logdir: str | os.PathLike):
        super().__init__()
        self._images, self._logdir = images, paths.expand(logdir) / "reconstructions"
        self._writer: Any = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes one picture: originals above, reconstructions below."""
        writer = self._writer = self._writer or tf.summary.create_file_writer(str(self._logdir))
        rows = [self._images, np.asarray(self.model.reconstruct(self._images))]
        picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
        with writer.as_default():
            tf.summary.image("images above, reconstructions below", picture[None], step=epoch)
        writer.flush()

    def on_train_end(self, logs=None):
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()
