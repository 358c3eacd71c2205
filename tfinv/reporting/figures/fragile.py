"""Adversarial images: each image, the perturbation, and the result, with what the model says."""

import os
from collections.abc import Sequence

import numpy as np

from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.figures.grids import Strip, draw_grid

# By how much a perturbation may be multiplied, so that its largest pixel reaches half of the range.
_FACTORS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def fragile_grid(
    images: np.ndarray,
    adversarial: np.ndarray,
    labels: Sequence[str],
    clean_answers: Sequence[str],
    adversarial_answers: Sequence[str],
    path: str | os.PathLike,
) -> float:
    """Draws one row an image: the image, the perturbation around grey, and the adversarial image.

    Args:
      images: (n, H, W, C) in [0, 1].
      adversarial: (n, H, W, C) in [0, 1].
      labels: (n,) of the rows.
      clean_answers: (n,) what the model says of the images.
      adversarial_answers: (n,) what it says of the others.
      path: PNG to write.

    Returns:
      The factor by which the perturbations are multiplied, the same for all.

    Raises:
      UserError: there is nothing to draw, or the two differ in shape.
    """
    if not len(images) or np.shape(images) != np.shape(adversarial):
        raise expected("as many adversarial images as images", f"{np.shape(adversarial)} for {np.shape(images)}")
    changes = np.asarray(adversarial, np.float64) - images
    largest = float(np.abs(changes).max())
    factor = next((f for f in reversed(_FACTORS) if f * largest <= 0.5), 1)
    drawn = np.clip(0.5 + factor * changes, 0.0, 1.0).astype(np.float32)
    rows = [
        (label, [Strip((image,), (before,)), Strip((change,)), Strip((result,), (after,))])
        for label, image, change, result, before, after in zip(
            labels, images, drawn, adversarial, clean_answers, adversarial_answers, strict=True
        )
    ]
    title = "change" if factor == 1 else f"change x {factor:g}"
    canvas.write(draw_grid(rows, ("image", title, "result"), ""), path)
    return float(factor)
