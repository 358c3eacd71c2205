"""Data that the stages of an inversion pass on; images are in [0, 1] here, whatever the classifier's bounds."""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from tfinv.classifier import Classifier
from tfinv.inversion.knowledge import Knowledge


@dataclasses.dataclass(frozen=True)
class Problem:
    """Input of a method: n reconstructions to make.

    Attributes:
      classifier: the victim.
      labels: (n,) the class that each row is to reconstruct.
      places: (n,) a number for each row, which seeds its draws and depends on no other row.
      knowledge: attacker knowledge.
      seed: of the draws.
      batch_size: rows in one compiled call at most.
      record: how many of the first rows to keep pictures of; 0 records nothing.
    """

    classifier: Classifier
    labels: np.ndarray
    places: np.ndarray
    knowledge: Knowledge
    seed: int
    batch_size: int
    record: int = 0

    def to_bounds(self, images: tf.Tensor) -> tf.Tensor:
        """[0, 1] images in the classifier's bounds."""
        low, high = self.classifier.bounds
        return tf.clip_by_value(low + images * (high - low), low, high)

    def confidence(self, images: np.ndarray) -> np.ndarray:
        """(n,) the model's own probability of each row's label, in float64; 1 or 0 if it gives labels only."""
        logits = self.classifier.predict(self.to_bounds(tf.constant(images)).numpy(), self.batch_size).astype(
            np.float64
        )
        labels = self.labels[: len(logits)]
        if not self.classifier.scores:
            return (logits.argmax(axis=1) == labels).astype(np.float64)
        return np.exp(logits[np.arange(len(logits)), labels] - logsumexp(logits, axis=1))


@dataclasses.dataclass(frozen=True)
class Course:
    """Records of an optimisation while it ran; k records of n rows, of which the first m have pictures.

    Attributes:
      steps: (k,) gradient steps taken so far.
      cost: (k, n).
      confidence: (k, n) the model's probability of the label.
      images: (k, m, H, W, C) in [0, 1].
    """

    steps: np.ndarray
    cost: np.ndarray
    confidence: np.ndarray
    images: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reconstructions:
    """Result of a method's `optimise`; n rows, as in its `Problem`.

    Attributes:
      images: (n, H, W, C) float32 in [0, 1].
      cost: (n,) of those images; NaN if the method has none.
      steps: (n,) gradient steps, or steps of another kind.
      stopped: (n,) bool: a stop rule ended the row, rather than the number of steps.
      queries: (n,) predictions asked of the model by a method without gradients.
      course: records of the optimisation, if the problem asks for them.
      points: (n, ...) the points of the images, in the space that the method searches; None where nobody needs them.
      starts: (n, ...) points where the rows started, if the method chose others than it was passed.
    """

    images: np.ndarray
    cost: np.ndarray
    steps: np.ndarray
    stopped: np.ndarray
    queries: np.ndarray
    course: Course | None = None
    points: np.ndarray | None = None
    starts: np.ndarray | None = None
