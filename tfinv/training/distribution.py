"""Distributed training on several devices or machines, by tf.distribute; `replicas` has the operations inside a step.

The batch size is that of all replicas together. Every worker runs the same program with the same arguments and sees the same
--workdir; only the chief writes.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.catalogue import DISTRIBUTIONS
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training.poisson import PoissonSampling

_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'


def strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy in whose `scope()` to make and compile a training model; `fit` then follows it.

    Args:
      name: "none"; "mirrored" for all GPUs of this machine, or its processor if it has none; "multi_worker" for the workers in
        the environment variable TF_CONFIG, which must be set before tfinv is imported. "multi_worker" waits for the other
        workers, and must come before any computation of TensorFlow.

    Raises:
      UserError: an unknown name, or "multi_worker" without a valid TF_CONFIG or too late.
    """
    if name not in DISTRIBUTIONS:
        raise expected(f"a distribution among {', '.join(DISTRIBUTIONS)}", repr(name), "Change --distribution.")
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if check_tf_config(os.environ.get("TF_CONFIG")) == 1:
        # Metrics of the other strategy would be vectors of one number, which Keras's TensorBoard refuses.
        return tf.distribute.MirroredStrategy()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise expected(
            "to join the workers of TF_CONFIG", str(error).splitlines()[0], "Is this worker's own port free?"
        ) from error
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise expected(
            "--distribution=multi_worker before anything is computed",
            "a TensorFlow that is in use",
            "Set TF_CONFIG before tfinv is imported, and make the strategy first.",
        ) from error


def check_tf_config(text: str | None) -> int:
    """Validates TF_CONFIG, and returns the number of workers.

    Args:
      text: the value of TF_CONFIG.

    Raises:
      UserError: it is missing or not of that form.
    """
    change = f"Set TF_CONFIG as in {_EXAMPLE}, or change --distribution."
    if not text:
        raise expected("TF_CONFIG in the environment for --distribution=multi_worker", "none", change)
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        valid_jobs = set(jobs) <= {"chief", "worker"} and len(jobs.get("chief", [])) <= 1
        address = jobs[task["type"]][int(task["index"])]
        are_lists = all(isinstance(addresses, list) for addresses in jobs.values())
        valid = valid_jobs and are_lists and int(task["index"]) >= 0 and isinstance(address, str)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise expected("TF_CONFIG with the workers' addresses and this one's place among them", text, change)
    return sum(len(addresses) for addresses in jobs.values())


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process is the one that writes: the job "chief", or without one the first worker."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.cluster_spec():
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def batches(
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    batch_size: int,
    *,
    seed: int,
    epoch: tf.Variable,
    sampling: PoissonSampling | None = None,
) -> tf.distribute.DistributedDataset:
    """Returns an endless dataset of shuffled batches, whose rows the replicas share in order; drops the remainder of an epoch.

    Args:
      dataset: the training images.
      strategy: of the training model.
      batch_size: images per step of all replicas together.
      seed: of the shuffle.
      epoch: number of the first pass, read with the first batch. The order of each pass is that of `Dataset.as_tf`.
      sampling: of the batches; None for shuffled ones.

    Raises:
      UserError: the replicas cannot share the batch evenly.
    """
    n = strategy.num_replicas_in_sync
    if batch_size % n:
        raise expected(f"a batch size that {n} replicas can share evenly", batch_size, "Change --batch_size.")

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas_per_pipeline = n // context.num_input_pipelines
        first = context.input_pipeline_id * replicas_per_pipeline
        parts = range(first, first + replicas_per_pipeline)
        if sampling is not None:
            return sampling.batches(dataset, seed=seed, epoch=epoch, parts=parts, num_parts=n)
        return dataset.parts(batch_size, parts, n, seed=seed, epoch=epoch)

    return strategy.distribute_datasets_from_function(pipeline)


def callbacks(strategy: tf.distribute.Strategy) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a strategy, to follow every callback that restores or ends the training."""
    return [WorkerSync()] if _has_workers(strategy) else []


def leave(strategy: tf.distribute.Strategy) -> None:
    """Waits until every worker is done: workers that still run treat one that has exited as failed.

    Raises:
      UserError: one of them has failed.
    """
    if _has_workers(strategy):
        with lost_worker(strategy):
            _gather_function(strategy)([0])


@contextlib.contextmanager
def lost_worker(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns the failure of another worker, which TensorFlow notices within about ten seconds, into a one-line error.

    Raises:
      UserError: another worker has failed.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not _has_workers(strategy):
            raise
        raise expected(
            "all workers to stay until the end",
            f"{type(error).__name__}, since one of them is gone",
            "Start all of them again with the same --workdir, to go on from the last epoch.",
        ) from error


def _has_workers(strategy):
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _gather_function(strategy):
    """Returns a function that gathers a number, [k], of each replica."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.int32)])
    def gather(number):
        return strategy.gather(strategy.run(tf.identity, [number]), axis=0)

    return gather


class WorkerSync(keras.callbacks.Callback):
    """Makes workers start at the same epoch and end together; otherwise they would wait for each other for ever.

    It must come after every callback that restores or ends a training.
    """

    def __init__(self):
        super().__init__()
        self._gather: Any = None

    def on_train_begin(self, logs=None):
        """Compares the epochs at which the workers start.

        Raises:
          UserError: they differ.
        """
        self._gather = _gather_function(self.model.distribute_strategy)
        epochs = self._gather([self.model._initial_epoch or 0]).numpy().tolist()
        if len(set(epochs)) > 1:
            raise expected(
                "workers that go on from the same backup",
                f"backups of epochs {', '.join(map(str, epochs))}",
                "Change --workdir to a folder that all workers share, or remove it.",
            )

    def on_epoch_end(self, epoch, logs=None):
        """Ends the training if any worker does."""
        self.model.stop_training = bool(np.any(self._gather([int(self.model.stop_training)])))
