"""What a training step must know when several replicas share its batch, so that it does what one would do with the whole batch.

Replica r of n takes the rows r b to (r + 1) b of the batch of n b images. All functions are for inside of a step but
`average_gradients` and `share_statistics`; with one replica, and outside of any strategy, they change nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf


def count() -> int:
    """How many replicas share the batch of this step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def rows(draw: Callable[[Any], tf.Tensor], shape: Any) -> tf.Tensor:
    """This replica's rows of one draw for the whole batch, so that no example's draw depends on how the batch is shared.

    Args:
      draw: given a shape, returns a tensor of it.
      shape: of this replica's rows, (b, ...).
    """
    n = count()
    if n == 1:
        return draw(shape)
    own = tf.convert_to_tensor(shape)
    return tf.reshape(part(draw(tf.concat([own[:1] * n, own[1:]], axis=0))), own)


def gather(values: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, (n b, ...), in order, of this one's (b, ...).

    Gradients flow through it: those of a loss of the whole batch, which all replicas have, are right once averaged over them.
    """
    n, context = count(), tf.distribute.get_replica_context()
    if n == 1:
        return values
    size, place = tf.shape(values)[0], context.replica_id_in_sync_group
    around = [[place * size, (n - 1 - place) * size]] + [[0, 0]] * (len(values.shape) - 1)
    # As a sum, since the order in which an all-gather puts workers of several devices is not documented.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.pad(values, around))


def part(values: tf.Tensor) -> tf.Tensor:
    """This replica's rows, (b, ...), of those of the whole batch, (n b, ...)."""
    n = count()
    if n == 1:
        return values
    size = tf.shape(values)[0] // n
    place = tf.distribute.get_replica_context().replica_id_in_sync_group
    return values[place * size : (place + 1) * size]


def average_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes an optimizer descend the mean of the replicas' losses, each of which is a mean over its rows.

    Keras adds up the gradients of the replicas, and divides each by `loss_scale_factor` before.
    """
    n = tf.distribute.get_strategy().num_replicas_in_sync
    if n > 1:
        optimizer.loss_scale_factor = float(n)


def share_statistics(layers: Iterable[keras.Layer]) -> None:
    """Makes batch normalisation, wherever in these layers, normalise by the statistics of the whole batch."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for layer in _flat(layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def result(metric: keras.metrics.Metric) -> tf.Tensor:
    """This replica's value for the logs of a step: a scalar, but (1,) among workers, whose mean Keras takes along that axis."""
    workers = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return tf.reshape(metric.result(), [1]) if workers else metric.result()


def _flat(layers: Iterable[keras.Layer]) -> Iterator[keras.Layer]:
    for layer in layers:
        yield layer
        yield from _flat(getattr(layer, "layers", ()))
