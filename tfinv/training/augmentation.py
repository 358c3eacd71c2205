"""Random changes of training images that leave the class as it is: another draw for each image and step.

Keras's layers do not fit here: `RandomCrop` takes one offset for the whole batch, `RandomTranslation` shifts by parts of a pixel
and keeps XLA from compiling the step, and no layer's draws are saved with the weights, so that a resumed training would go on
with others.
"""

import tensorflow as tf

from tfinv.training import replicas
from tfinv.training.base import Augmentation

_PADDING = 4


def crop(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Each image out of a frame of 4 black pixels, at its own offset of 0 to 8 (He et al. 2016, section 4.2).

    Args:
      images: (batch, H, W, C) in [0, 1].
      seed: (2,) integers.

    Returns:
      (batch, H, W, C).
    """
    batch, (height, width) = tf.shape(images)[0], images.shape[1:3]
    offsets = replicas.rows(lambda s: tf.random.stateless_uniform(s, seed, 0, 2 * _PADDING + 1, tf.int32), [batch, 2])
    framed = tf.pad(images, [[0, 0], [_PADDING] * 2, [_PADDING] * 2, [0, 0]])
    rows, columns = offsets[:, :1] + tf.range(height), offsets[:, 1:] + tf.range(width)
    return tf.gather(tf.gather(framed, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def crop_flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`crop`, and every other image mirrored left to right: as usual for CIFAR-10, and wrong for digits.

    The arguments are those of `crop`.
    """
    one, two = tf.unstack(tf.random.split(seed, 2))
    mirrored = replicas.rows(lambda s: tf.random.stateless_uniform(s, two), tf.shape(images)[:1]) > 0.5
    cropped = crop(images, one)
    return tf.where(mirrored[:, None, None, None], tf.reverse(cropped, [2]), cropped)


AUGMENTATIONS: dict[str, Augmentation | None] = {"none": None, "crop": crop, "crop_flip": crop_flip}
