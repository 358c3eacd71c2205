"""Who is it? The rank of the right person among all, by classifiers that know the people from other photographs."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
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

    @property
    def mean_rank(self) -> float:
        """1 at best; (K + 1) / 2 by guessing."""
        return float(self.ranks.mean())

    @property
    def rank1(self) -> float:
        """The share whose right person came first."""
        return float(self.curve[0])

    @property
    def rank5(self) -> float:
        """The share whose right person was among the first five."""
        return float(self.curve[min(4, len(self.curve) - 1)])


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
      judges: trained on photographs that the victim never saw; see `split_photographs`.

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


def split_photographs(dataset: Dataset, share: float = 0.5, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Divides each person's photographs between the victim and the judges, so that no photograph is seen by both.

    Args:
      dataset: at least two photographs of each person.
      share: the victim's part of each person's, in (0, 1); both get at least one.
      seed: of the draw.

    Raises:
      UserError: a share out of range, or a person of one photograph.
    """
    if not 0 < share < 1:
        raise expected("a share between 0 and 1", share, "Change the argument `share`.")
    rng = np.random.default_rng(seed)
    first: list[int] = []
    second: list[int] = []
    for label in np.unique(dataset.labels):
        rows = rng.permutation(np.flatnonzero(dataset.labels == label))
        if len(rows) < 2:
            raise expected(
                "two photographs of each person", f"one of {dataset.class_names[label]}", "Change the data set."
            )
        cut = min(max(1, round(share * len(rows))), len(rows) - 1)
        first += rows[:cut].tolist()
        second += rows[cut:].tolist()
    return dataset.subset(sorted(first)), dataset.subset(sorted(second))
