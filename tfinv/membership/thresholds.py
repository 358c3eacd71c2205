"""Attacks with one threshold on how well the target fits an example: no shadow model is needed."""

import dataclasses
from typing import ClassVar

import numpy as np

from tfinv.errors import expected
from tfinv.membership import signals
from tfinv.membership.base import MembershipAttack, Needs
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.reading import check_shadows


@dataclasses.dataclass(frozen=True)
class Gap(MembershipAttack):
    """Gap attack (Yeom et al. 2018): 1 where the prediction is right, else 0. The baseline that others must beat.

    Its advantage is the gap between training and test accuracy. It has one threshold for all classes, since two scores leave no
    choice of it.
    """

    NEEDS: ClassVar[Needs] = "labels"

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns 1.0 for right and 0.0 for wrong predictions."""
        assert evidence.predictions is not None
        return np.equal(evidence.predictions, evidence.labels).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class Threshold(MembershipAttack):
    """Base of the attacks that compare a signal of query 0 with a threshold; a family defines `signal`.

    With `per_class`, the score is what the signal exceeds its class's threshold by (Song and Mittal 2021), so that one
    curve over all examples has a threshold for each class. Where there are shadow models, it is the threshold that tells their
    members and non-members of the class apart with the highest balanced accuracy; a class of which they have no member, or no
    non-member, takes the threshold of all classes. Without shadow models it is the median of the signal over the examples of the
    class, which centres classes but knows no member; a single example of its class then scores 0.

    Attributes:
      per_class: whether each class has a threshold of its own.
    """

    per_class: bool = False

    def signal(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the signal, higher for members, of logits (n, K) and labels (n,): (n,) float64."""
        raise NotImplementedError

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the signal, less its class's threshold if there is one for each class."""
        assert evidence.logits is not None
        values = self.signal(evidence.logits[:, 0], evidence.labels)
        if not self.per_class:
            return values
        if evidence.shadows is None:
            return values - _class_medians(values, evidence.labels)
        return values - self._shadow_thresholds(evidence, values)

    def _shadow_thresholds(self, evidence, values):
        """Thresholds of the examples' classes, (n,), which the shadow models give."""
        shadows, _ = check_shadows(evidence)
        labels, members, every = evidence.labels, shadows.members, slice(0, len(values))
        if not 0 < members.sum() < members.size:
            return _class_medians(values, labels)
        logits = (shadows.logits(number, every)[:, 0] for number in range(shadows.size))
        signal = np.stack([self.signal(part, labels) for part in logits], axis=1)
        if not np.isfinite(signal).all():
            number = int(np.flatnonzero(~np.isfinite(signal).all(axis=0))[0])
            raise expected(
                "finite logits of every shadow", f"NaN or infinity of shadow {number}", "Make its logits again."
            )
        thresholds = np.full(len(labels), best_threshold(signal[members], signal[~members]))
        for label in np.unique(labels):
            rows = labels == label
            inside, outside = signal[rows][members[rows]], signal[rows][~members[rows]]
            if len(inside) and len(outside):
                thresholds[rows] = best_threshold(inside, outside)
        return thresholds


@dataclasses.dataclass(frozen=True)
class Confidence(Threshold):
    """Confidence of the label (Song and Mittal 2021), as its log-odds, which are not tied where it rounds to 1."""

    def signal(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the log-odds of the label."""
        return signals.margin(logits, labels)


@dataclasses.dataclass(frozen=True)
class Loss(Threshold):
    """Loss threshold (Yeom et al. 2018, the adversary of a bounded loss): minus the cross-entropy.

    With one threshold it ranks as `Confidence` does, since both rise with the probability of the label.
    """

    def signal(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns minus the cross-entropy."""
        return signals.log_confidence(logits, labels)


@dataclasses.dataclass(frozen=True)
class Entropy(Threshold):
    """Entropy of the prediction (Shokri et al. 2017; Song and Mittal 2021), which looks at no label: members have less."""

    def signal(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns minus the entropy."""
        return -signals.entropy(logits)


@dataclasses.dataclass(frozen=True)
class ModifiedEntropy(Threshold):
    """Modified entropy (Song and Mittal 2021), which the label takes part in: members have less."""

    def signal(self, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns minus the modified entropy."""
        return -signals.modified_entropy(logits, labels)


def best_threshold(members: np.ndarray, nonmembers: np.ndarray) -> float:
    """Threshold of the highest balanced accuracy, in the middle between two scores.

    Args:
      members: (m,) scores, at least one.
      nonmembers: (k,) scores, at least one.

    Returns:
      The lowest such threshold; a score is taken as a member's from it on.
    """
    values = np.unique(np.concatenate([members, nonmembers]))
    at_least = [1 - np.searchsorted(np.sort(scores), values) / len(scores) for scores in (members, nonmembers)]
    best = int(np.argmax(at_least[0] - at_least[1]))
    return float(values[best] if best == 0 else values[best - 1] / 2 + values[best] / 2)


def _class_medians(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Medians of the values over the examples of each one's class, (n,)."""
    medians = np.zeros(len(labels))
    for label in np.unique(labels):
        medians[labels == label] = np.median(values[labels == label])
    return medians
