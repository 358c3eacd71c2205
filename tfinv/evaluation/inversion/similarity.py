"""Structural similarity of pairs of images, and the diversity of the samples of a class."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist
from skimage.metrics import structural_similarity

from tfinv.errors import expected

_WINDOW = 7


def ssim(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Computes the structural similarity of each pair (Wang et al. 2004), (n,) in [-1, 1].

    As scikit-image has it by default: the mean over uniform windows of 7 x 7 pixels, where Wang et al. weight 11 x 11 by a
    Gaussian. In images with a shorter side the window is the largest odd one that fits.

    Args:
      images: (n, H, W, C) in [0, 1].
      others: (n, H, W, C), the other image of each pair.

    Raises:
      UserError: a side of less than 3 pixels.
    """
    shortest = min(images.shape[1:3])
    if shortest < 3:
        raise expected("images of at least 3 x 3 pixels", images.shape[1:3], "Change the images.")
    similarity: Callable[..., Any] = structural_similarity
    window = min(_WINDOW, shortest - 1 + shortest % 2)
    return np.array(
        [
            similarity(a, b, win_size=window, data_range=1.0, channel_axis=-1)
            for a, b in zip(images, others, strict=True)
        ]
    )


def pair_diversity(points: np.ndarray, labels: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean L2 distance over the pairs of each class that has a pair.

    Args:
      points: (n, ...) pixels or features, flattened here.
      labels: (n,).
      scale: divides the distances; the root of the number of pixels makes them root-mean-square distances.

    Returns:
      (classes,) distances, and the classes; both empty if no class has two.
    """
    flat = points.reshape(len(points), -1)
    classes = [int(k) for k in np.unique(labels) if np.sum(labels == k) > 1]
    return np.array([pdist(flat[labels == k]).mean() / scale for k in classes]), np.array(classes, np.int64)
