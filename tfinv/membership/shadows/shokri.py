"""The shadow classifier: networks that learn from shadow models what outputs of members look like."""

import dataclasses
import warnings
from typing import ClassVar

import numpy as np
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from tfinv.attacks.fields import check_positive
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.reading import check_shadows
from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.signals import margin

# Outputs of members and of others that a class needs for a network of its own.
_LEAST = 20
_CHUNK = 4096
_EPOCHS = 30


@dataclasses.dataclass(frozen=True)
class Shokri(MembershipAttack):
    """An attack model for each class, trained on the shadows' outputs (Shokri et al. 2017, sections V.B and V.D).

    As there, it is a network of one hidden layer of 64 units. Its inputs are the logarithms of the largest probabilities, sorted
    (Salem et al. 2019), and the margin of the label, all from logits in float64; its score is the log-odds, before a sigmoid that
    would tie what is sure. Classes with few outputs share a network that is trained on all of them. Of several queries it uses the
    first, the image itself.

    Attributes:
      units: of the hidden layer.
      top: so many of the largest probabilities.
      outputs: at most so many outputs of shadows, drawn at random, to train a network on.
    """

    SHADOWS: ClassVar[bool] = True
    LEAST_SHADOWS: ClassVar[int] = 1

    units: int = 64
    top: int = 10
    outputs: int = 20_000

    def __post_init__(self):
        check_positive(self, "units", "top", "outputs")

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns log-odds, (n,)."""
        shadows, logits = check_shadows(evidence)
        assert evidence.rows is not None
        scores = np.empty(len(evidence))
        shared = []
        order = np.argsort(
            evidence.rows, kind="stable"
        )  # what is drawn does not depend on how the examples are ordered
        for label in np.unique(evidence.labels):
            rows = order[evidence.labels[order] == label]
            model = self._train(shadows, rows, (evidence.seed, int(label)))
            if model is None:
                shared.append(rows)
            else:
                self._apply(model, logits, evidence.labels, rows, scores)
        if shared:
            model = self._train(shadows, order, (evidence.seed, shadows.classes), least=1)
            # Shadows without a single member, or without a single other example, have taught nothing: all alike.
            scores[np.concatenate(shared)] = 0.0
            if model is not None:
                self._apply(model, logits, evidence.labels, np.concatenate(shared), scores)
        return scores

    def _train(self, shadows: Shadows, rows, seed, least=_LEAST):
        """Scaler and network for some examples, or None where too few of their outputs are of members, or of others."""
        members = shadows.members[rows]
        if min(members.sum(), (~members).sum()) < least:
            return None
        generator = np.random.default_rng(seed)
        drawn = np.sort(generator.choice(members.size, min(self.outputs, members.size), replace=False))
        positions, numbers = drawn // len(rows), drawn % len(rows)
        parts, targets = [], []
        for shadow in np.unique(positions):
            chosen = numbers[positions == shadow]
            parts.append(self._features(shadows.logits(shadow, rows[chosen])[:, 0], shadows.labels[rows[chosen]]))
            targets.append(members[chosen, shadow])
        inputs, answers = np.concatenate(parts), np.concatenate(targets)
        if answers.all() or not answers.any():
            return None
        scaler = StandardScaler().fit(inputs)
        network = MLPClassifier((self.units,), max_iter=_EPOCHS, random_state=int(generator.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is what is asked for
            network.fit(scaler.transform(inputs), answers)
        return scaler, network

    def _apply(self, model, logits, labels, rows, scores):
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            scores[part] = _log_odds(model, self._features(logits[part, 0], labels[part]))

    def _features(self, logits, labels):
        """Sorted log-probabilities and the margin of the label: (r, K) to (r, min(K, top) + 1)."""
        log_p = special.log_softmax(np.asarray(logits, np.float64), axis=-1)
        largest = -np.sort(-log_p, axis=-1)[:, : self.top]
        return np.concatenate([largest, margin(logits, labels)[:, np.newaxis]], axis=1)


def _log_odds(model, inputs):
    """The network's output before its sigmoid, (r,)."""
    scaler, network = model
    values = scaler.transform(inputs)
    for weights, biases in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        values = np.maximum(values @ weights + biases, 0)
    return (values @ network.coefs_[-1] + network.intercepts_[-1])[:, 0]
