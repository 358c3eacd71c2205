"""Data augmentation: random changes of training images that keep the class, drawn anew for each image and step.

Keras's layers do not fit here: `RandomCrop` takes one offset for the whole batch, `RandomTranslation` shifts by fractions of a
pixel and keeps XLA from compiling the step, and no layer saves the state of its draws with the weights, so a resumed training
would draw differently.
"""

import functools
from collections.abc import Callable, Mapping

import tensorflow as tf

from tfinv import catalogue, specs
from tfinv.catalogue import Registry
from tfinv.errors import expected
from tfinv.training import replicas
from tfinv.training.base import Augmentation

_HINT = "Change --augmentation."


def none(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the images unchanged."""
    return images


def crop(images: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """Pads each image with black pixels, and crops it at its own offset of 0 to 2 padding (He et al. 2016, section 4.2).

    Args:
      images: (batch, H, W, C) in [0, 1].
      seed: (2,) integers.
      padding: pixels on each side: 4 is usual for CIFAR-10's 32, and much for MNIST's digits, which are centred.

    Returns:
      (batch, H, W, C).
    """
    batch, (height, width) = tf.shape(images)[0], images.shape[1:3]
    offsets = replicas.draw_rows(
        lambda s: tf.random.stateless_uniform(s, seed, 0, 2 * padding + 1, tf.int32), [batch, 2]
    )
    padded = tf.pad(images, [[0, 0], [padding] * 2, [padding] * 2, [0, 0]])
    rows, columns = offsets[:, :1] + tf.range(height), offsets[:, 1:] + tf.range(width)
    return tf.gather(tf.gather(padded, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def crop_flip(images: tf.Tensor, seed: tf.Tensor, padding: int = 4) -> tf.Tensor:
    """Crops as `crop` does, and mirrors a random half of the images left to right: usual for CIFAR-10, wrong for digits.

    The arguments are those of `crop`.
    """
    crop_seed, flip_seed = tf.unstack(tf.random.split(seed, 2))
    mirrored = replicas.draw_rows(lambda s: tf.random.stateless_uniform(s, flip_seed), tf.shape(images)[:1]) > 0.5
    cropped = crop(images, crop_seed, padding)
    return tf.where(mirrored[:, None, None, None], tf.reverse(cropped, [2]), cropped)


AUGMENTATIONS: Mapping[str, Callable[..., tf.Tensor]] = Registry(catalogue.AUGMENTATIONS)


def canonical(spec: str) -> str:
    """Returns the canonical form of a spec, the shortest.

    Raises:
      UserError: see `augmentation`.
    """
    augmentation(spec)
    return specs.canonical(AUGMENTATIONS, spec, _HINT)


def augmentation(spec: str) -> Augmentation | None:
    """Returns the function of a spec such as `crop(padding=2)`; None for `none`.

    Raises:
      UserError: no such augmentation or argument, or a padding below 1.
    """
    name, arguments = specs.read(AUGMENTATIONS, spec, _HINT)
    if arguments.get("padding", 1) < 1:
        raise expected(f"a padding of {name} of at least 1", arguments["padding"], _HINT)
    return None if name == "none" else functools.partial(AUGMENTATIONS[name], **arguments)
