"""Identification: the rank of the right person among all, by classifiers trained on other photographs of the same people."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax

from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Identification:
    """Ranks of n reconstructions among K people.

    Attributes:
      ranks: (n,) of the right person; 1 is best.
      curve: (K,) the cumulative match characteristic: the share of ranks of at most 1, 2, ... K.
    """

    ranks: np.ndarray
    curve: np.ndarray


def label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the (n,) rank of each label among the scores (n, K), from 1. A tie counts against the label."""
    label_scores = scores[np.arange(len(labels)), labels]
    return np.sum(scores >= label_scores[:, None], axis=1)


def cumulative_match(ranks: np.ndarray, people: int) -> np.ndarray:
    """Returns the (people,) share of ranks of at most 1, 2, ... (Phillips et al. 2000, "CMC")."""
    return np.array([np.mean(ranks <= rank) for rank in range(1, people + 1)])


def identify(images: np.ndarray, labels: np.ndarray, identifiers: Mapping[str, Classifier]) -> Identification:
    """Ranks all people for each reconstruction, by the mean of the identifiers' log-probabilities.

    Args:
      images: (n, H, W, C) in [0, 1].
      labels: (n,) the person that each is to show.
      identifiers: classifiers by name, trained on photographs that the victim never saw.

    Raises:
      UserError: there is no identifier.
    """
    if not identifiers:
        raise expected("at least one identifier", "none", "Change the argument `identifiers`.")
    scores = np.mean(
        [log_softmax(c.predict(c.from_unit(images)).astype(np.float64), axis=1) for c in identifiers.values()], 0
    )
    ranks = label_ranks(scores, np.asarray(labels))
    return Identification(ranks, cumulative_match(ranks, scores.shape[1]))
