"""Bounds of the reversed reconstruction loss, as the pressure on each example, and the error levels they compare with.

The reversed loss has no lower bound: under constant pressure the encoder gives up the classification. docs/results/bounds.md
compares the bounds.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfinv.errors import expected

# Pressure on one example, from its error e and its class's error level c, both relative to the error of the mean image.
BOUNDS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "none": lambda e, c: tf.ones_like(e),
    # Falls to 0 where the decoder is no better than the mean image.
    "mean": lambda e, c: tf.clip_by_value(1.0 - e, 0.0, 1.0),
    # The same with the mean image of the class, which a correct classification gives away in any case.
    "class_mean": lambda e, c: tf.clip_by_value(1.0 - e / c, 0.0, 1.0),
    # The gradient of the bounded loss 2 e / (1 + e) in place of that of e.
    "normalised": lambda e, c: 2.0 / tf.square(1.0 + e),
}


def check_bound(bound: str) -> None:
    """Refuses a name that is not in `BOUNDS`.

    Raises:
      UserError: it is not.
    """
    if bound not in BOUNDS:
        raise expected(f"a bound among {', '.join(BOUNDS)}", repr(bound), "Change --bound.")


def error_levels(images: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Computes the errors of answering with a mean image.

    Args:
      images: (n, H, W, C) in [0, 1].
      labels: (n,).

    Returns:
      V, the mean squared error per pixel of the mean image, and (classes,) that of each class's mean image over V.
    """
    flat = np.asarray(images, np.float32).reshape(len(images), -1)
    total = float(np.mean(np.square(flat - flat.mean(0))))
    levels = np.ones(int(labels.max()) + 1, np.float32)
    for label in np.unique(labels):
        rows = flat[labels == label]
        levels[label] = np.mean(np.square(rows - rows.mean(0))) / total
    return total, levels
