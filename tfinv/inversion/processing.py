"""MIFace's Process: image processing, applied at intervals, that makes a reconstruction look like a photograph."""

from collections.abc import Callable

import tensorflow as tf

_BLUR = [1.0, 4.0, 6.0, 4.0, 1.0]
_AMOUNT = 0.5


def blur(images: tf.Tensor) -> tf.Tensor:
    """A binomial blur over 5 x 5 pixels, mirrored at the border."""
    kernel = tf.constant(_BLUR) / sum(_BLUR)
    channels = images.shape[-1]
    filters = tf.repeat(tf.tensordot(kernel, kernel, axes=0)[:, :, None, None], channels, axis=2)
    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    return tf.nn.depthwise_conv2d(padded, filters, [1, 1, 1, 1], "VALID")


def denoise(images: tf.Tensor) -> tf.Tensor:
    """A median over 3 x 3 pixels, mirrored at the border."""
    height, width, channels = images.shape[1:]
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return tf.sort(tf.stack(shifted, axis=-1), axis=-1)[..., 4]


def sharpen(images: tf.Tensor) -> tf.Tensor:
    """An unsharp mask: the image plus half of the detail that a blur removes."""
    return images + _AMOUNT * (images - blur(images))


def denoise_and_sharpen(images: tf.Tensor) -> tf.Tensor:
    """Denoises, then sharpens: the order of the paper's Process-DAE."""
    return sharpen(denoise(images))


PROCESSES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "identity": lambda images: images,
    "denoise": denoise,
    "sharpen": sharpen,
    "both": denoise_and_sharpen,
}
