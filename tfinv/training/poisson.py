"""Batches by Poisson sampling: each example is in each batch with the same probability, whatever else is in it.

It is the sampling that the accounting of DP-SGD assumes. Shuffled batches, whose size is fixed and which share out the examples,
give away more: their epsilon can be several times as large (Chua et al. 2024, arXiv 2403.17673).
"""

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from tfinv.datasets import Dataset
from tfinv.errors import expected

# Keeps its draws apart from those of the steps, whose seeds begin with the same number.
_STREAM = 20_261
# Batches are padded to a multiple of this share of the expected size, so that few sizes occur.
_SIZES = 8


@dataclasses.dataclass(frozen=True)
class PoissonSampling:
    """Sampling of a training whose guarantee rests on it.

    Attributes:
      n: number of training images.
      batch_size: expected number of images in a batch.
      steps: largest number of steps that the guarantee covers.
    """

    n: int
    batch_size: int
    steps: int

    @property
    def probability(self) -> float:
        """Probability with which an example is in a batch."""
        return self.batch_size / self.n

    def check(self, model: keras.Model, dataset: Dataset, epochs: int, batch_size: int) -> None:
        """Refuses a training that differs from the one that the guarantee is stated for.

        Raises:
          UserError: another number of images, batch size or more epochs, or a model that has been trained before.
        """
        trained = int(model.optimizer.iterations.numpy())
        values = {"images": len(dataset), "batch size": batch_size, "earlier steps": trained}
        for (name, value), right in zip(values.items(), (self.n, self.batch_size, 0), strict=True):
            if value != right:
                raise expected(
                    f"the training that epsilon is stated for: {right} {name}",
                    value,
                    "Make the training model anew, with a plan of this training.",
                )
        per_epoch = self.n // self.batch_size
        if epochs * per_epoch > self.steps:
            raise expected(
                f"at most {self.steps // per_epoch} epochs, for which epsilon is stated",
                epochs,
                "Change the plan's epochs.",
            )

    def batches(
        self, dataset: Dataset, *, seed: int, epoch: int | tf.Variable, parts: range = range(1), num_parts: int = 1
    ) -> tf.data.Dataset:
        """Returns the batches of an epoch, n // batch_size of them; for several parts an endless data set of epochs.

        Args:
          dataset: n images.
          seed: of the draws, which depend on it and on the number of the step alone.
          epoch: number of the first epoch; a variable is read when the iteration begins.
          parts: numbers of the parts of each batch to return, one after another.
          num_parts: equal parts of a batch, for devices that share it.

        Returns:
          A tf.data.Dataset of ((b, height, width, channels) float32, (b,) labels, (b,) weights). A batch is padded, and its b
          differs from step to step; the weights are 1 for its examples and 0 for the padding. Without examples it has only
          padding.
        """
        per_epoch, read = self.n // self.batch_size, dataset._reader()
        multiple = math.lcm(max(self.batch_size // _SIZES, 1), num_parts)

        def numbers(_):
            first = tf.cast(epoch, tf.int64) * per_epoch
            return tf.data.Dataset.range(first, first + per_epoch if num_parts == 1 else tf.int64.max)

        def rows(step):
            indices, weights = pad(draw(self.n, self.probability, seed, step), multiple)
            shared = (tf.reshape(x, [num_parts, -1])[parts.start : parts.stop] for x in (indices, weights))
            return tf.data.Dataset.from_tensor_slices(tuple(shared))

        order = tf.data.Dataset.range(1).flat_map(numbers).flat_map(rows)
        batches = order.map(lambda indices, weights: (*read(indices), weights), num_parallel_calls=tf.data.AUTOTUNE)
        if num_parts == 1:
            batches = batches.apply(tf.data.experimental.assert_cardinality(per_epoch))
        return batches.prefetch(tf.data.AUTOTUNE)


def draw(n: int, probability: float, seed: int, step: int | tf.Tensor) -> tf.Tensor:
    """Draws the examples of a batch, each by itself; returns their indices in order, of which there may be none.

    Args:
      n: number of examples.
      probability: of each to be drawn.
      seed: of the training.
      step: number of the step; the draws of different steps are independent.
    """
    stream = tf.random.experimental.stateless_fold_in(tf.constant([seed, _STREAM], tf.int64), tf.cast(step, tf.int64))
    # In float32 the probability would be rounded to 2^-23.
    return tf.where(tf.random.stateless_uniform([n], stream, dtype=tf.float64) < probability)[:, 0]


def pad(indices: tf.Tensor, multiple: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Pads indices with that of the first example to a multiple of a size, at least once; returns also the weights 1 and 0.

    A real image, since a network may have no finite gradient at one without contrast, and 0 times that is not 0.
    """
    count = tf.shape(indices)[0]
    size = tf.maximum((count + multiple - 1) // multiple, 1) * multiple
    return tf.pad(indices, [[0, size - count]]), tf.cast(tf.range(size) < count, tf.float32)


def unpack(data: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns images, labels and weights of a step's data.

    Raises:
      UserError: they are no Poisson batch.
    """
    if not isinstance(data, tuple) or len(data) != 3 or data[2] is None:
        raise expected(
            "batches by Poisson sampling, for which epsilon is stated",
            "batches without weights, as of keras.Model.fit",
            "Train with tfinv.training.fit.fit(model, dataset, ...).",
        )
    return data
