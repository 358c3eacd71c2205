"""Gradients normalised by scale: each level of their Laplacian pyramid is divided by its standard deviation.

From the DeepDream notebook of TensorFlow's examples (Mordvintsev 2015); the pyramid is that of Burt and Adelson 1983.
"""

import dataclasses

import tensorflow as tf

from tfinv import threat
from tfinv.inversion.base import check_whole
from tfinv.inversion.descent import Descent

_KERNEL = [1.0, 4.0, 6.0, 4.0, 1.0]
_SMALLEST = 2  # pixels on a side of the coarsest level
# Relative to the gradient's largest entry; a smaller deviation is rounding error, which must not be amplified.
_LEAST = 1e-5


@dataclasses.dataclass(frozen=True)
class Laplacian(Descent):
    """x <- clip(x - rate * normalised(g)): coarse shapes, which a plain gradient hardly changes, move as fast as fine ones.

    Attributes:
      optimiser: plain descent by default, since the normalised gradient's length no longer depends on the gradient's.
      rate: about the change of a pixel in a step.
      levels: splits at most; a level of 2 pixels on a side is not split.
    """

    steps: int = 200
    optimiser: str = "descent"
    rate: float = 1 / 255
    levels: int = 4

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 0, "levels")

    def transform_gradient(self, gradient: tf.Tensor) -> tf.Tensor:
        """The merged pyramid of the normalised levels."""
        return merge([normalise(level) for level in split(_scale(gradient), self.levels)])


def split(images: tf.Tensor, levels: int) -> list[tf.Tensor]:
    """Splits images into their Laplacian pyramid, from fine to coarse.

    Args:
      images: (b, H, W, C) with static H and W.
      levels: splits at most; fewer where H and W are too small.

    Returns:
      The detail that each split removes, (b, H, W, C), (b, H/2, W/2, C), ..., then the coarse remainder; sizes round up.
    """
    pyramid = []
    for _ in range(levels):
        height, width = images.shape[1:3]
        if min(height, width) < 2 * _SMALLEST:
            break
        coarse = tf.nn.depthwise_conv2d(images, _filters(images.shape[-1]), [1, 2, 2, 1], "SAME")
        pyramid.append(images - _enlarge(coarse, tf.shape(images)))
        images = coarse
    return [*pyramid, images]


def merge(pyramid: list[tf.Tensor]) -> tf.Tensor:
    """The images of a pyramid, the inverse of `split`."""
    images = pyramid[-1]
    for level in reversed(pyramid[:-1]):
        images = level + _enlarge(images, tf.shape(level))
    return images


def normalise(level: tf.Tensor) -> tf.Tensor:
    """A level (b, h, w, C) over each row's standard deviation about zero, as in the notebook; a level of zeros stays."""
    deviation = tf.sqrt(tf.reduce_mean(tf.square(level), axis=[1, 2, 3], keepdims=True))
    return level / tf.maximum(deviation, _LEAST)


def _scale(gradient):
    """The gradient over its largest entry, since squares of small gradients would underflow to zero."""
    return tf.math.divide_no_nan(gradient, threat.per_example(threat.norms(gradient, "linf"), gradient))


def _enlarge(images, shape):
    """Images of twice the size; depthwise, written as the gradient of the convolution that halved it."""
    filters = 4.0 * _filters(images.shape[-1])
    return tf.nn.depthwise_conv2d_backprop_input(shape, filters, images, [1, 2, 2, 1], "SAME")


def _filters(channels):
    kernel = tf.constant(_KERNEL) / sum(_KERNEL)
    return tf.repeat(tf.tensordot(kernel, kernel, axes=0)[:, :, None, None], channels, axis=2)
