"""Keras's `fit` with what a long training needs: resumption, TensorBoard, a halt on NaN; all by Keras's own callbacks."""

import math
import os
import pathlib
import shutil
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfinv import files
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.training import distribution
from tfinv.training.backup import WholeBackup


class Diverged(UserError):
    """A loss or metric became NaN or infinite while training."""


def fit(
    model: keras.Model,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int = 128,
    seed: int = 0,
    workdir: str | os.PathLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> dict[str, float]:
    """Trains a compiled model; run again after a kill, it goes on from the last whole epoch to the same weights.

    Args:
      model: compiled, built.
      dataset: n training images.
      epochs: in all, those before a kill counted in.
      batch_size: images a step, of all replicas of the model's strategy together; at most n. What is left of an epoch is dropped,
        so that no batch has another shape.
      seed: of the order of the examples.
      workdir: where `backup/` and `tensorboard/` go; None keeps neither. The backup of the last epoch is left for whoever saves
        the model to remove; run with it, a training that has ended gives its weights at once.
      callbacks: further ones.
      verbose: as Keras's: 0 silent, 1 a progress bar, 2 a line an epoch.

    Returns:
      The logs of the last epoch; none if all epochs were behind it.

    Raises:
      Diverged: a loss or metric became NaN or infinite.
      UserError: the replicas cannot share a batch evenly, or one of the workers failed.
    """
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    batch_size = min(batch_size, len(dataset))
    strategy, steps = model.distribute_strategy, None
    chief = distribution.is_chief(strategy)
    if strategy.num_replicas_in_sync == 1:
        data = dataset.as_tf(batch_size, shuffle=True, seed=seed, epoch=epoch, drop_remainder=True)
    else:
        data = distribution.batches(dataset, strategy, batch_size, seed=seed, epoch=epoch)
        steps = len(dataset) // batch_size
    used = [_FollowEpoch(epoch), keras.callbacks.TerminateOnNaN(), *callbacks]
    if workdir is not None:
        folder = pathlib.Path(workdir)
        try:
            (folder / "backup").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.unwritable(folder, error) from error
        used += [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)] if chief else []
        used += [WholeBackup(folder / "backup", writes=chief)]
    used += distribution.callbacks(strategy)
    with distribution.lost_worker(strategy):
        history = model.fit(
            data,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=used,
            verbose=verbose if chief else 0,
            shuffle=False,
        )
    logs = {k: float(v[-1]) for k, v in history.history.items()}
    # Not the loss alone: behind a ReLU a NaN can become a zero, and the classification goes on without the encoder.
    broken = {k: v for k, v in logs.items() if not math.isfinite(v)}
    if broken:
        if workdir is not None and chief:
            shutil.rmtree(folder / "backup", ignore_errors=True)  # nothing to go on from
        raise Diverged(
            f"Expected finite losses. Received: {broken}. Weaken the defence (its strength or weight, or another bound), or lower "
            "the learning rate."
        )
    return logs


class _FollowEpoch(keras.callbacks.Callback):
    """Tells the data which epoch begins; Keras takes a new iterator of it after this call."""

    def __init__(self, epoch: tf.Variable):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch.assign(epoch)
