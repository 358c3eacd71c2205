"""What a round of an attack is given, what it finds, and what the whole attack returns."""

import dataclasses

import numpy as np

from tfinv.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class AttackResult:
    """What an attack found; n examples.

    Attributes:
      images: (n, H, W, C) float32, inside the budget and the bounds exactly. Rows that were wrong from the start are unchanged.
      success: (n,) bool: the float32 prediction on `images` is wrong (targeted: is the target).
      distances: (n,) float64, realised distance from the original in the attack's norm.
      gradient_calls: (n,) gradients taken of each example.
      queries: (n,) predictions asked of each example by an attack without gradients.
      zero_gradients: (n,) bool: the first gradient was exactly zero, or not a number, in every pixel.
    """

    images: np.ndarray
    success: np.ndarray
    distances: np.ndarray
    gradient_calls: np.ndarray
    queries: np.ndarray
    zero_gradients: np.ndarray


@dataclasses.dataclass(frozen=True)
class Problem:
    """What one round of an attack is given: n images that still withstand.

    Attributes:
      classifier: the victim.
      images: (n, H, W, C), all still classified as their label (targeted: not yet as their target).
      labels: (n,) true classes.
      goals: (n,) the labels to leave, or the targets to reach if the attack is targeted.
      rows: (n,) places in the data set, which seed the draws.
      seed: of the draws.
      batch_size: examples in one compiled call, at most.
      round: number of the round.
      start: (n, H, W, C) images to start from, within the budget unless the attack is minimal; None for the attack's own start.
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray
    goals: np.ndarray
    rows: np.ndarray
    seed: int
    batch_size: int
    round: int = 0
    start: np.ndarray | None = None

    def clip(self, images: np.ndarray) -> np.ndarray:
        """Images cut to the bounds, float32."""
        low, high = self.classifier.bounds
        return np.clip(images, np.float32(low), np.float32(high))

    def take(self, chosen: np.ndarray) -> "Problem":
        """The problem of some of the rows."""
        start = None if self.start is None else self.start[chosen]
        parts = {name: getattr(self, name)[chosen] for name in ("images", "labels", "goals", "rows")}
        return dataclasses.replace(self, start=start, **parts)


@dataclasses.dataclass(frozen=True)
class Found:
    """What one round found; n examples, as in its `Problem`.

    Attributes:
      images: (n, H, W, C), in the budget up to rounding. What is not, as an attack for the smallest perturbation may return, is
        taken for a failure.
      gradient_calls: (n,) or a number for all.
      queries: (n,) or a number for all.
      zero_gradients: (n,) bool, or None for none.
    """

    images: np.ndarray
    gradient_calls: np.ndarray | int = 0
    queries: np.ndarray | int = 0
    zero_gradients: np.ndarray | None = None
