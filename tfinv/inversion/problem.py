"""What the stages of an inversion hand to each other; images are in [0, 1] here, whatever the classifier's bounds."""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from tfinv.classifier import Classifier
from tfinv.inversion.knowledge import Knowledge


@dataclasses.dataclass(frozen=True)
class Problem:
    """What a method is given: n reconstructions to make.

    Attributes:
      classifier: the victim.
      labels: (n,) the class that each is to show.
      places: (n,) a number for each, which seeds its draws: it depends on no other row.
      knowledge: what the attacker has beside the model.
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
        own = np.arange(len(logits)), self.labels[: len(logits)]
        if not self.classifier.scores:
            return (logits.argmax(axis=1) == own[1]).astype(np.float64)
        return np.exp(logits[own] - logsumexp(logits, axis=1))


@dataclasses.dataclass(frozen=True)
class Course:
    """How an optimisation went; k looks at n rows, of which the first m were pictured.

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
class Optimised:
    """What a method made of its starts.

    Attributes:
      images: (n, H, W, C) float32 in [0, 1].
      cost: (n,) of those images; NaN if the method has none.
      steps: (n,) gradient steps, or steps of another kind.
      stopped: (n,) bool: a rule ended the row, rather than the number of steps.
      queries: (n,) predictions asked of the model by a method without gradients.
      course: how it went, if it was to be recorded.
      points: (n, ...) those of the images, in the space that the method works in; None where nobody needs them.
      starts: (n, ...) points where the rows began, if a method chose others than it was given.
    """

    images: np.ndarray
    cost: np.ndarray
    steps: np.ndarray
    stopped: np.ndarray
    queries: np.ndarray
    course: Course | None = None
    points: np.ndarray | None = None
    starts: np.ndarray | None = None
