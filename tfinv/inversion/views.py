"""Random views of images: for gradients that do not fit one grid of pixels, and for selecting robust reconstructions."""

import numpy as np
import tensorflow as tf

_LEAST_SHARE = 0.85  # of the height and width, in `crops`


def jitter(images: tf.Tensor, max_shift: int, flip: bool, seed: tf.Tensor) -> tf.Tensor:
    """Rolls all images by the same random number of pixels, and mirrors them at random.

    Args:
      images: (b, H, W, C).
      max_shift: pixels at most, in each direction; 0 for none.
      flip: mirror left to right in half of the draws.
      seed: (2,) of the draw.
    """
    if max_shift:
        shift = tf.random.stateless_uniform([2], seed, -max_shift, max_shift + 1, tf.int32)
        images = tf.roll(images, shift, axis=[1, 2])
    if flip:
        images = tf.cond(
            tf.random.stateless_uniform([], seed + 1) < 0.5, lambda: tf.reverse(images, axis=[2]), lambda: images
        )
    return images


def crop(images: tf.Tensor, least_share: float, seed: tf.Tensor) -> tf.Tensor:
    """Crops all images (b, H, W, C) to the same random box, and resizes it (bilinear).

    Args:
      images: (b, H, W, C); gradients flow to them.
      least_share: of each side that the box covers, above 0, at most 1.
      seed: (2,) of the draw.
    """
    share, top, left = tf.unstack(tf.random.stateless_uniform([3], seed))
    share = least_share + (1.0 - least_share) * share
    corner = tf.stack([top, left]) * (1.0 - share)
    count, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    boxes = tf.repeat(tf.concat([corner, corner + share], axis=0)[None], count, axis=0)
    return tf.image.crop_and_resize(images, boxes, tf.range(count), [height, width])


def crops(images: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Random crops of at least .85 of the side, resized: (n, H, W, C) each, the same draw for all images."""
    rng = np.random.default_rng(seed)
    height, width = images.shape[1:3]
    views = []
    for _ in range(count):
        share = rng.uniform(_LEAST_SHARE, 1)
        h, w = max(1, round(share * height)), max(1, round(share * width))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        box = images[:, top : top + h, left : left + w]
        views.append(tf.image.resize(box, (height, width)).numpy())
    return views
