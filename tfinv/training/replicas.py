"""Operations of a training step whose batch several replicas share, so that it equals the step of one with the whole batch.

Replica r of n has the rows r b to (r + 1) b of the batch of n b images. All functions but `average_gradients` and
`share_statistics` are called inside a step; with one replica, and outside any strategy, they change nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf


def count() -> int:
    """Returns the number of replicas that share the batch of this step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def draw_rows(draw: Callable[[Any], tf.Tensor], shape: Any) -> tf.Tensor:
    """Draws for the whole batch, and returns this replica's rows: no example's draw depends on how the batch is shared.

    Args:
      draw: from a shape to a random tensor of it.
      shape: of this replica's rows, (b, ...).
    """
    n = count()
    if n == 1:
        return draw(shape)
    local_shape = tf.convert_to_tensor(shape)
    global_shape = tf.concat([local_shape[:1] * n, local_shape[1:]], axis=0)
    return tf.reshape(local_rows(draw(global_shape)), local_shape)


def gather(values: tf.Tensor) -> tf.Tensor:
    """Gathers the rows of all replicas, (n b, ...) in order, from those of each, (b, ...).

    It is differentiable: if every replica has the same loss of the whole batch, the average of their gradients is right.
    """
    n, context = count(), tf.distribute.get_replica_context()
    if n == 1:
        return values
    size, replica = tf.shape(values)[0], context.replica_id_in_sync_group
    padding = [[replica * size, (n - 1 - replica) * size]] + [[0, 0]] * (len(values.shape) - 1)
    # As a sum, since the order of workers of several devices in an all-gather is not documented.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.pad(values, padding))


def local_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns this replica's rows, (b, ...), of the whole batch, (n b, ...)."""
    n = count()
    if n == 1:
        return values
    size = tf.shape(values)[0] // n
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return values[replica * size : (replica + 1) * size]


def average_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes an optimizer minimise the mean of the replicas' losses, each of which is a mean over its rows.

    Keras sums the gradients of the replicas, after dividing each by `loss_scale_factor`.
    """
    n = tf.distribute.get_strategy().num_replicas_in_sync
    if n > 1:
        optimizer.loss_scale_factor = float(n)


def share_statistics(layers: Iterable[keras.Layer]) -> None:
    """Makes batch normalisation in these layers, nested ones included, use the statistics of the whole batch."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for layer in batch_norms(layers):
        layer.synchronized = True


def batch_norms(layers: Iterable[keras.Layer]) -> list[keras.layers.BatchNormalization]:
    """Returns the layers of batch normalisation, nested ones included."""
    return [layer for layer in _flatten(layers) if isinstance(layer, keras.layers.BatchNormalization)]


def result(metric: keras.metrics.Metric) -> tf.Tensor:
    """Returns this replica's value for the logs of a step: a scalar, but (1,) among workers, since Keras averages that axis."""
    workers = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return tf.reshape(metric.result(), [1]) if workers else metric.result()


def _flatten(layers: Iterable[keras.Layer]) -> Iterator[keras.Layer]:
    """Yields layers and the layers inside them."""
    for layer in layers:
        yield layer
        yield from _flatten(getattr(layer, "layers", ()))
