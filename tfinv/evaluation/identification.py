"""Who is it? The rank of the right person among all, by classifiers that know the people from other photographs."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax

from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Identification:
    """How n reconstructions were identified among K people.

    Attributes:
      ranks: (n,) of the right person; 1 is best.
      curve: (K,) the cumulative match characteristic: the share of ranks of at most 1, 2, ... K.
    """

    ranks: np.ndarray
    curve: np.ndarray


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) the rank of each label among the scores (n, K), from 1. A tie counts against the label."""
    own = scores[np.arange(len(labels)), labels]
    return np.sum(scores >= own[:, None], axis=1)


def cumulative_match(found: np.ndarray, people: int) -> np.ndarray:
    """(people,) the share of ranks of at most 1, 2, ... (Phillips et al. 2000, "CMC")."""
    return np.array([np.mean(found <= rank) for rank in range(1, people + 1)])


def identify(images: np.ndarray, labels: np.ndarray, judges: Mapping[str, Classifier]) -> Identification:
    """Ranks all people for each reconstruction, by the mean of the judges' log-probabilities.

    Args:
      images: (n, H, W, C) in [0, 1].
      labels: (n,) who each is to show.
      judges: trained on photographs that the victim never saw.

    Raises:
      UserError: there is no judge.
    """
    if not judges:
        raise expected("at least one judge", "none", "Change the argument `judges`.")
    scores = np.mean(
        [log_softmax(j.predict(j.from_unit(images)).astype(np.float64), axis=1) for j in judges.values()], 0
    )
    found = ranks(scores, np.asarray(labels))
    return Identification(found, cumulative_match(found, scores.shape[1]))
