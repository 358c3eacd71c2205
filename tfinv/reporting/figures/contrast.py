"""Contrast of pictures, for those that are too dark or too dull to see anything in."""

import numpy as np

# Share of pixels that a picture's range leaves out at either end, and the range below which pictures are faint.
_TAIL, _FAINT = 0.01, 0.5


def are_faint(images: np.ndarray) -> bool:
    """Returns whether more than half of the pictures use less than half of the range from 0 to 1.

    Args:
      images: (n, H, W, C) float in [0, 1].
    """
    low, high = _ranges(images)
    return float(np.median(high - low)) < _FAINT


def stretched(images: np.ndarray) -> np.ndarray:
    """Returns each picture with its own range, but for a hundredth of the pixels at either end, stretched to that from 0 to 1.

    Args:
      images: (n, H, W, C) float in [0, 1]; a picture of a single grey stays as it is.
    """
    low, high = _ranges(images)
    width = np.where(high > low, high - low, 1.0)
    wide = np.clip((images - low) / width, 0.0, 1.0)
    return np.where(high > low, wide, images).astype(np.float32)


def _ranges(images):
    """(n, 1, 1, 1) lower and upper ends."""
    return np.quantile(np.asarray(images, np.float64), [_TAIL, 1 - _TAIL], axis=(1, 2, 3), keepdims=True)
