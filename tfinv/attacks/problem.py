"""Input and result of one stage of an attack, and the result of the whole attack."""

import dataclasses

import numpy as np

from tfinv.classifier import Classifier


@dataclasses.dataclass(frozen=True)
class AttackResult:
    """Result of an attack on n examples.

    Attributes:
      images: (n, H, W, C) float32, within the budget and the bounds exactly. Images misclassified from the start are unchanged.
      success: (n,) bool: the float32 prediction on `images` is wrong (targeted: is the target).
      distances: (n,) float64, distance from the original in the attack's norm.
      gradient_calls: (n,) gradients computed for each example.
      queries: (n,) predictions that an attack without gradients asked for, for each example.
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
    """Input of one stage of an attack: the n images that no earlier stage has fooled.

    Attributes:
      classifier: the victim.
      images: (n, H, W, C), all classified as their label (targeted: as another class than their target).
      labels: (n,) true classes.
      goals: (n,) the labels to leave, or the targets to reach if the attack is targeted.
      rows: (n,) indices in the data set, which seed the random draws.
      seed: of the random draws.
      batch_size: examples in one compiled call, at most.
      round: index of the stage among those of the same attack: of a restart, or of a target and restart.
      start: (n, H, W, C) initial images, within the budget unless the attack is minimal; None for the attack's default.
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
        """Returns the images clipped to the bounds, float32."""
        low, high = self.classifier.bounds
        return np.clip(images, np.float32(low), np.float32(high))

    def take(self, indices: np.ndarray) -> "Problem":
        """Returns the problem restricted to some of its images."""
        start = None if self.start is None else self.start[indices]
        arrays = {name: getattr(self, name)[indices] for name in ("images", "labels", "goals", "rows")}
        return dataclasses.replace(self, start=start, **arrays)


@dataclasses.dataclass(frozen=True)
class StageResult:
    """Result of one stage, for the n images of its `Problem`.

    Attributes:
      images: (n, H, W, C), within the budget up to rounding. Minimal attacks may return images outside it, which count as failures.
      gradient_calls: (n,), or one number for all images.
      queries: (n,), or one number for all images.
      zero_gradients: (n,) bool, or None for none.
    """

    images: np.ndarray
    gradient_calls: np.ndarray | int = 0
    queries: np.ndarray | int = 0
    zero_gradients: np.ndarray | None = None
