"""Keras's `fit` with resumption, TensorBoard and a halt on NaN, all by callbacks."""

import math
import os
import shutil
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfinv import files, paths
from tfinv.datasets import Dataset
from tfinv.errors import UserError
from tfinv.training import distribution
from tfinv.training.backup import AtomicBackup


class Diverged(UserError):
    """Error of a training whose loss or metric became NaN or infinite."""


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
    """Trains a compiled model; called again after a kill, it resumes from the last complete epoch and ends with the same weights.

    Args:
      model: compiled, built.
      dataset: n training images.
      epochs: total number, including those before a kill.
      batch_size: images per step, of all replicas of the model's strategy together; at most n. The remainder of an epoch is
        dropped, so all batches have one shape. A model with a `sampling` gets batches by that, as many an epoch.
      seed: of the order of the examples.
      workdir: folder for `backup/` and `tensorboard/`; None writes neither. The backup of the last epoch stays, for the caller to
        remove once the model is saved; with it, a finished training restores its weights at once.
      callbacks: additional ones.
      verbose: as Keras's: 0 silent, 1 a progress bar, 2 a line per epoch.

    Returns:
      The logs of the last epoch; empty if all epochs had been trained before.

    Raises:
      Diverged: a loss or metric became NaN or infinite.
      UserError: the replicas cannot share a batch evenly, one of the workers failed, or the training differs from that of the
        model's guarantee.
    """
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    batch_size = min(batch_size, len(dataset))
    strategy, steps = model.distribute_strategy, None
    chief = distribution.is_chief(strategy)
    sampling = getattr(model, "sampling", None)
    if sampling is not None:
        sampling.check(model, dataset, epochs, batch_size)
    if strategy.num_replicas_in_sync > 1:
        data = distribution.batches(dataset, strategy, batch_size, seed=seed, epoch=epoch, sampling=sampling)
        steps = len(dataset) // batch_size
    elif sampling is not None:
        data = sampling.batches(dataset, seed=seed, epoch=epoch)
    else:
        data = dataset.as_tf(batch_size, shuffle=True, seed=seed, epoch=epoch, drop_remainder=True)
    all_callbacks = [_EpochCounter(epoch), keras.callbacks.TerminateOnNaN(), *callbacks]
    if workdir is not None:
        folder = paths.expand(workdir)
        try:
            (folder / "backup").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.unwritable(folder, error) from error
        all_callbacks += [keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)] if chief else []
        all_callbacks += [AtomicBackup(folder / "backup", writes=chief)]
    all_callbacks += distribution.callbacks(strategy)
    with distribution.lost_worker(strategy):
        history = model.fit(
            data,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=all_callbacks,
            verbose=verbose if chief else 0,
            shuffle=False,
        )
    logs = {k: float(v[-1]) for k, v in history.history.items()}
    # All metrics, not the loss alone: a ReLU can turn a NaN into a zero, and the head then trains without the encoder.
    non_finite = {k: v for k, v in logs.items() if not math.isfinite(v)}
    if non_finite:
        if workdir is not None and chief:
            shutil.rmtree(folder / "backup", ignore_errors=True)  # nothing to resume
        raise Diverged(
            f"Expected finite losses. Received: {non_finite}. Weaken the defence (its strength or weight, or another bound), or "
            "lower the learning rate."
        )
    return logs


class _EpochCounter(keras.callbacks.Callback):
    """Sets the dataset's epoch; Keras makes a new iterator of the dataset after this call."""

    def __init__(self, epoch: tf.Variable):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch.assign(epoch)
