"""One training on several devices or machines, by tf.distribute; `replicas` has what the step itself must know of it.

The batch size is that of all replicas together. Every worker runs the same program with the same arguments and sees the same
--workdir; one of them, the chief, writes.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfinv.datasets import Dataset
from tfinv.errors import expected

DISTRIBUTIONS = ("none", "mirrored", "multi_worker")

_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'


def strategy(name: str) -> tf.distribute.Strategy:
    """The strategy under whose `scope()` a training model is to be made and compiled; `fit` then follows it.

    Args:
      name: "none"; "mirrored" for all GPUs of this machine, or its processor if it has none; "multi_worker" for the workers in
        the environment variable TF_CONFIG, which must be set before tfinv is imported. That one waits for the others, and must
        come before anything else that TensorFlow computes.

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
    """How many workers there are; refuses what does not say so, and which of them this is.

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
        known = set(jobs) <= {"chief", "worker"} and len(jobs.get("chief", [])) <= 1
        own = jobs[task["type"]][int(task["index"])]
        listed = all(isinstance(addresses, list) for addresses in jobs.values())
        valid = known and listed and int(task["index"]) >= 0 and isinstance(own, str)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise expected("TF_CONFIG with the workers' addresses and this one's place among them", text, change)
    return sum(len(addresses) for addresses in jobs.values())


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes: the job "chief", or without one the first worker."""
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None or not resolver.cluster_spec():
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def batches(
    dataset: Dataset, strategy: tf.distribute.Strategy, batch_size: int, *, seed: int, epoch: tf.Variable
) -> tf.distribute.DistributedDataset:
    """Shuffled batches for ever, each shared by the replicas in the order of its rows, without what is left of an epoch.

    Args:
      dataset: the training images.
      strategy: of the training model.
      batch_size: images a step of all replicas together.
      seed: of the shuffle.
      epoch: number of the pass to begin with, read with the first batch. The passes' orders are those of `Dataset.as_tf`.

    Raises:
      UserError: the replicas cannot share the batch evenly.
    """
    n = strategy.num_replicas_in_sync
    if batch_size % n:
        raise expected(f"a batch size that {n} replicas can share evenly", batch_size, "Change --batch_size.")

    def own(context: tf.distribute.InputContext) -> tf.data.Dataset:
        each = n // context.num_input_pipelines
        begin = context.input_pipeline_id * each
        return dataset.parts(batch_size, range(begin, begin + each), n, seed=seed, epoch=epoch)

    return strategy.distribute_datasets_from_function(own)


def callbacks(strategy: tf.distribute.Strategy) -> list[keras.callbacks.Callback]:
    """What a training under this strategy needs, after every callback that restores or ends it."""
    return [Agreement()] if _has_workers(strategy) else []


def leave(strategy: tf.distribute.Strategy) -> None:
    """Waits until every worker is done, since those that are left take one that has gone for dead.

    Raises:
      UserError: one of them has failed.
    """
    if _has_workers(strategy):
        with lost_worker(strategy):
            _everyones(strategy)([0])


@contextlib.contextmanager
def lost_worker(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Says it in one line if another worker of the strategy has failed, which TensorFlow notices within some ten seconds.

    Raises:
      UserError: one has.
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


def _everyones(strategy):
    """A function from the number, [k], of each replica to all of them."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.int32)])
    def numbers(own):
        return strategy.gather(strategy.run(tf.identity, [own]), axis=0)

    return numbers


class Agreement(keras.callbacks.Callback):
    """Keeps workers together, which would wait for each other for ever: they begin at one epoch, and end if one of them ends.

    It must come after every callback that restores or ends a training.
    """

    def __init__(self):
        super().__init__()
        self._all: Any = None

    def on_train_begin(self, logs=None):
        """Compares the epochs that the workers begin with.

        Raises:
          UserError: they differ.
        """
        self._all = _everyones(self.model.distribute_strategy)
        epochs = self._all([self.model._initial_epoch or 0]).numpy().tolist()
        if len(set(epochs)) > 1:
            raise expected(
                "workers that go on from the same backup",
                f"backups of epochs {', '.join(map(str, epochs))}",
                "Change --workdir to a folder that all workers share, or remove it.",
            )

    def on_epoch_end(self, epoch, logs=None):
        """Ends the training if any worker does."""
        self.model.stop_training = bool(np.any(self._all([int(self.model.stop_training)])))
