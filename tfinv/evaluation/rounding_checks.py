"""Check of adversarial images that are saved with 8 bits: files that people can open hold no finer levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfinv.evaluation.check import Check, percent

_POINT = 0.01  # of the images: what rounding may change

Predict = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Rounding:
    """Numbers of images that fool a model before and after they are rounded to 8 bits.

    Attributes:
      fooling: classified wrong before.
      still_fooling: of these, classified wrong after it, too.
      total: all images.
    """

    fooling: int = 0
    still_fooling: int = 0
    total: int = 0

    @classmethod
    def of(cls, predict: Predict, images: np.ndarray, rounded: np.ndarray, labels: np.ndarray) -> Rounding:
        """Counts them by new predictions.

        Args:
          predict: from (n, H, W, C) images in the model's bounds to (n, K) logits.
          images: adversarial images.
          rounded: the same, at 8 bits.
          labels: (n,).
        """
        before, after = (predict(x).argmax(axis=-1) != labels for x in (images, rounded))
        return cls(int(before.sum()), int((before & after).sum()), len(labels))

    def __add__(self, other: Rounding) -> Rounding:
        return Rounding(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


def rounding_keeps_success(roundings: Mapping[str, Rounding]) -> Check:
    """Checks that hardly any adversarial image ceases to fool the model when it is rounded to 8 bits.

    Args:
      roundings: by the name of the attack, with its eps if there is one run an eps.
    """
    lost = [(name, r) for name, r in roundings.items() if r.fooling - r.still_fooling > _POINT * r.total]
    evidence = "; ".join(
        f"{name}: {r.still_fooling} of {r.fooling} images that fool the model still do, rounded to 8 bits"
        for name, r in roundings.items()
    )
    return Check(
        "rounding-keeps-success",
        None if not any(r.fooling for r in roundings.values()) else not lost,
        f"{evidence or 'no image was rounded'} (at most {percent(_POINT)} of all images may cease to)",
        "The files hold other images than those that the accuracy under attack is of: rounded to whole grey levels, perturbations "
        "below half a level are lost. Quote the figures of the rounded images for these files; or pass --save=npy or npz, which "
        "keep float32; or attack with a larger eps, or with one that is a whole number of levels, such as 8/255.",
    )
