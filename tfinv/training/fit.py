"""Keras's `fit` with what a long training needs: resumption, TensorBoard, a halt on NaN; all by Keras's own callbacks."""

import math
import os
import pathlib
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfinv import files
from tfinv.datasets import Dataset
from tfinv.errors import expected


def fit(
    model: keras.Model,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int = 128,
    seed: int = 0,
    workdir: str | os.PathLike | None = None,
    validation: Dataset | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> dict[str, float]:
    """Trains a compiled model; run again after a kill, it goes on from the last whole epoch to the same weights.

    Args:
      model: compiled, built.
      dataset: n training images.
      epochs: in all, those before a kill counted in.
      batch_size: at most n; what is left of an epoch is dropped, so that no batch has another shape.
      seed: of the order of the examples.
      workdir: where `backup/` and `tensorboard/` go; None keeps neither.
      validation: evaluated after each epoch.
      callbacks: further ones.
      verbose: as Keras's: 0 silent, 1 a progress bar, 2 a line an epoch.

    Returns:
      The logs of the last epoch.

    Raises:
      UserError: the loss became NaN or infinite.
    """
    data, follow = epoch_shuffled(dataset, min(batch_size, len(dataset)), seed)
    held_out = None if validation is None else validation.as_tf(500)
    used = [follow, keras.callbacks.TerminateOnNaN(), *callbacks]
    if workdir is not None:
        folder = pathlib.Path(workdir)
        try:
            (folder / "backup").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.unwritable(folder, error) from error
        used += [
            keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False),
            keras.callbacks.BackupAndRestore(folder / "backup"),
        ]
    history = model.fit(
        data, epochs=epochs, validation_data=held_out, callbacks=used, verbose=verbose, shuffle=False
    )
    logs = {k: float(v[-1]) for k, v in history.history.items()}
    if not math.isfinite(logs.get("loss", 0.0)):
        raise expected(
            "a finite loss", logs["loss"], "Lower --strength or --weight, or choose another --bound."
        )
    return logs


def epoch_shuffled(
    dataset: Dataset, batch_size: int, seed: int
) -> tuple[tf.data.Dataset, keras.callbacks.Callback]:
    """Batches in an order that depends on the seed and the epoch's number alone, so that a resumed run sees the same.

    Args:
      dataset: n images.
      batch_size: of every batch.
      seed: of the order.

    Returns:
      A data set of one epoch, (batch, H, W, C) float32 in [0, 1] and (batch,) int64; and the callback that tells it the epoch.
    """
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    # Held as tensors beside the graph: inside it they would be copied into every function.
    x, y = tf.constant(dataset.pixels), tf.constant(dataset.labels)

    def order(_):
        numbers = tf.range(len(dataset), dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices(
            tf.random.experimental.stateless_shuffle(numbers, seed=[seed, epoch])
        )

    data = tf.data.Dataset.range(1).flat_map(order).batch(batch_size, drop_remainder=True)
    data = data.map(lambda rows: _to_unit(tf.gather(x, rows), tf.gather(y, rows)))
    return data.apply(tf.data.experimental.assert_cardinality(len(dataset) // batch_size)).prefetch(
        2
    ), _FollowEpoch(epoch)


class _FollowEpoch(keras.callbacks.Callback):
    """Tells the data which epoch begins; Keras takes a new iterator of it after this call."""

    def __init__(self, epoch: tf.Variable):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch.assign(epoch)


def _to_unit(images, labels):
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) / 255.0
    return images, labels
