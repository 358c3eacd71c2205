"""What every attack shares: its result, the batching, and the verification of what it returns."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from tfinv import threat
from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class AttackResult:
    """What an attack found; n examples.

    Attributes:
      images: (n, H, W, C) float32, inside the budget and the bounds exactly. Rows that were wrong from the start are unchanged.
      success: (n,) bool: the float32 prediction on `images` is wrong (targeted: is the target).
      distances: (n,) float64, realised distance from the original in the attack's norm.
      gradient_calls: (n,) gradients taken of each example.
      zero_gradients: (n,) bool: the first gradient was exactly zero, or not a number, in every pixel.
    """

    images: np.ndarray
    success: np.ndarray
    distances: np.ndarray
    gradient_calls: np.ndarray
    zero_gradients: np.ndarray


@dataclasses.dataclass(frozen=True)
class Attack:
    """Hyper-parameters of an attack, and the call that runs it.

    Attributes:
      eps: radius, in units of the classifier's bounds.
      norm: "linf" or "l2".
      targeted: move towards the given targets instead of away from the labels.
    """

    eps: float = 0.3
    norm: str = "linf"
    targeted: bool = False

    def __post_init__(self):
        threat.Budget(self.eps, self.norm)

    def __call__(
        self,
        classifier: Classifier,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        targets: np.ndarray | None = None,
        seed: int = 0,
        batch_size: int = 256,
    ) -> AttackResult:
        """Attacks every image.

        Args:
          classifier: the victim.
          images: (n, H, W, C) in the classifier's bounds.
          labels: (n,) true classes.
          targets: (n,) classes to reach, if targeted.
          seed: of all random draws; the same seed gives the same draws whatever the batch size.
          batch_size: examples in one compiled call; the last batch is padded to it. At most n are taken.

        Raises:
          UserError: images or labels that the classifier refuses, or targets missing, superfluous or equal to the label.
        """
        images, labels = classifier.validate(images, labels)
        if (targets is not None) != self.targeted:
            raise expected(
                "targets if and only if the attack is targeted",
                f"targeted={self.targeted}, targets {'given' if targets is not None else 'missing'}",
                "Change the argument `targets` or `targeted`.",
            )
        if batch_size < 1:
            raise expected("a positive batch size", batch_size, "Change batch_size or --batch_size.")
        batch_size = min(batch_size, len(images))
        goals = labels
        if targets is not None:
            goals = classifier.validate(images, targets)[1]
            if np.any(goals == labels):
                raise expected("targets that differ from the labels", f"{np.sum(goals == labels)} equal ones")
        predictions = classifier.predict(images, batch_size).argmax(1)
        active = np.flatnonzero((predictions == labels) if not self.targeted else (predictions != goals))
        found = images.copy()
        calls, zero = np.zeros(len(images), np.int64), np.zeros(len(images), bool)
        budget = threat.Budget(self.eps, self.norm)
        for rows in batches(active, batch_size):
            best, rows_calls, rows_zero = self.perturb(
                classifier, images[rows], goals[rows], rows=rows, seed=seed, batch_size=batch_size
            )
            found[rows] = threat.enforce(best, images[rows], budget, classifier.bounds)
            calls[rows], zero[rows] = rows_calls, rows_zero
        final = classifier.predict(found, batch_size).argmax(1)
        success = (final == goals) if self.targeted else (final != labels)
        return AttackResult(found, success, threat.distances(found, images, self.norm), calls, zero)

    def radius(self, classifier: Classifier) -> float:
        """eps, but at most the distance between opposite corners of the bounds, which already allows every image."""
        width = classifier.bounds[1] - classifier.bounds[0]
        return min(
            float(self.eps), width * (1.0 if self.norm == "linf" else math.sqrt(math.prod(classifier.input_shape)))
        )

    def perturb(
        self,
        classifier: Classifier,
        images: np.ndarray,
        goals: np.ndarray,
        *,
        rows: np.ndarray,
        seed: int,
        batch_size: int,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Attacks one batch: a family's own part.

        Args:
          classifier: the victim.
          images: (b, H, W, C), all still classified as their label (targeted: not yet as their target).
          goals: (b,) labels to leave, or targets to reach.
          rows: (b,) places in the data set, which seed the draws.
          seed: of the run.
          batch_size: b is at most this; what is compiled should have this shape.

        Returns:
          (b, H, W, C) images in the budget up to rounding, (b,) gradient calls, (b,) whether the first gradient was zero.
        """
        raise NotImplementedError


def batches(rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Splits row numbers into batches."""
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def pad(array: np.ndarray, batch_size: int) -> np.ndarray:
    """Repeats the last row until there are batch_size of them."""
    missing = batch_size - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
