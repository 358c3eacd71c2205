"""Random changes of training images that leave the class as it is: another draw for each image and step.

Keras's layers do not fit here: `RandomCrop` takes one offset for the whole batch, `RandomTranslation` shifts by parts of a pixel
and keeps XLA from compiling the step, and no layer's draws are saved with the weights, so that a resumed training would go on
with others.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfinv import specs
from tfinv.errors import expected
from tfinv.training import replicas
from tfinv.training.base import Augmentation

_HINT = "Change --augmentation."


def none(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The images as they are."""
    return images


def crop(images: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """Each image out of a frame of black pixels, at its own offset of 0 to 2 padding (He et al. 2016, section 4.2).

    Args:
      images: (batch, H, W, C) in [0, 1].
      seed: (2,) integers.
      padding: width of the frame, in pixels: 4 is usual for CIFAR-10's 32, and much for MNIST's digits, which are centred.

    Returns:
      (batch, H, W, C).
    """
    batch, (height, width) = tf.shape(images)[0], images.shape[1:3]
    offsets = replicas.rows(lambda s: tf.random.stateless_uniform(s, seed, 0, 2 * padding + 1, tf.int32), [batch, 2])
    framed = tf.pad(images, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
    rows, columns = offsets[:, :1] + tf.range(height), offsets[:, 1:] + tf.range(width)
    return tf.gather(tf.gather(framed, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def crop_flip(images: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """`crop`, and half of the images, drawn at random, mirrored left to right: as usual for CIFAR-10, and wrong for digits.

    The arguments are those of `crop`.
    """
    one, two = tf.unstack(tf.random.split(seed, 2))
    mirrored = replicas.rows(lambda s: tf.random.stateless_uniform(s, two), tf.shape(images)[:1]) > 0.5
    cropped = crop(images, one, padding)
    return tf.where(mirrored[:, None, None, None], tf.reverse(cropped, [2]), cropped)


AUGMENTATIONS: dict[str, Callable[..., tf.Tensor]] = {"none": none, "crop": crop, "crop_flip": crop_flip}


def normal(spec: str) -> str:
    """The shortest form of a spec.

    Raises:
      UserError: see `augmentation`.
    """
    augmentation(spec)
    return specs.normal(AUGMENTATIONS, spec, _HINT)


def augmentation(spec: str) -> Augmentation | None:
    """What a text form such as `crop(padding=2)` names; None for `none`.

    Raises:
      UserError: no such augmentation or argument, or a padding below 1.
    """
    name, given = specs.read(AUGMENTATIONS, spec, _HINT)
    if given.get("padding", 1) < 1:
        raise expected(f"a padding of {name} of at least 1", given["padding"], _HINT)
    return None if name == "none" else functools.partial(AUGMENTATIONS[name], **given)
