"""Augmented copies of images, which an attack queries beside the images themselves."""

from collections.abc import Iterator

import numpy as np


def offsets(shift: int) -> list[tuple[int, int]]:
    """Offsets (down, right) with |down| + |right| = shift: 4 shift of them, or (0, 0) alone for none."""
    pairs = [(down, side) for down in range(-shift, shift + 1) for side in (abs(down) - shift, shift - abs(down))]
    return sorted(set(pairs))


def shifted(images: np.ndarray, down: int, right: int, fill: float) -> np.ndarray:
    """Images moved by whole pixels, (n, H, W, C); `fill` is what comes in at the edge."""
    n, height, width, channels = images.shape
    vertical, horizontal = abs(down), abs(right)
    margins = ((0, 0), (vertical, vertical), (horizontal, horizontal), (0, 0))
    padded = np.pad(images, margins, constant_values=fill)
    top, left = vertical - down, horizontal - right
    return padded[:, top : top + height, left : left + width]


def copies(images: np.ndarray, shift: int, mirror: bool, fill: float) -> Iterator[np.ndarray]:
    """Yields the images, their shifted copies, and the mirrored ones.

    Args:
      images: (n, H, W, C).
      shift: pixels, in all directions of that city-block distance (Choquette-Choo et al. 2021); 0 for none.
      mirror: whether to mirror left to right, too.
      fill: pixel that comes in at the edge.
    """
    yield images
    for down, right in offsets(shift) if shift else ():
        yield shifted(images, down, right, fill)
    if mirror:
        yield images[:, :, ::-1]
