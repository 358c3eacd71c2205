"""The nearest training images of a reconstruction, which show whether it resembles something of the training set."""

import dataclasses

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.inversion.feature_space import features


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """The nearest same-class training image of each reconstruction.

    Attributes:
      indices: (n,) into the training set.
      distances: (n,) L2 in the space that was searched.
    """

    indices: np.ndarray
    distances: np.ndarray


def nearest_same_class(
    queries: np.ndarray, labels: np.ndarray, training: np.ndarray, training_labels: np.ndarray
) -> Neighbours:
    """Finds each query's nearest neighbour among the training rows of its class.

    Args:
      queries: (n, ...) reconstructions: pixels or features, flattened here.
      labels: (n,) the class of each.
      training: (m, ...) of the same kind.
      training_labels: (m,).

    Returns:
      Nearest training rows by L2 distance; -1 and NaN where the class has no training row.
    """
    indices, distances = _search(queries, labels, training, training_labels, 1)
    return Neighbours(indices[:, 0], distances[:, 0])


def knn_distance(
    queries: np.ndarray, labels: np.ndarray, training: np.ndarray, training_labels: np.ndarray, k: int = 1
) -> np.ndarray:
    """Mean L2 distance of each query to the k nearest training rows of its class, (n,) (Zhang et al. 2020, "KNN Dist" at k=1).

    Args:
      queries: as in `nearest_same_class`.
      labels: likewise.
      training: likewise.
      training_labels: likewise.
      k: at least 1.

    Raises:
      UserError: a class of `labels` has fewer than k training rows.
    """
    counts = {int(label): int(np.sum(training_labels == label)) for label in np.unique(labels)}
    few = {label: count for label, count in counts.items() if count < k}
    if k < 1 or few:
        raise expected(
            f"k={k} between 1 and the training images of each class", f"{few or k}", "Change the argument `k`."
        )
    return _search(queries, labels, training, training_labels, k)[1].mean(axis=1)


@dataclasses.dataclass(frozen=True)
class SimilarImages:
    """The k most similar training images of each of n reconstructions, the most similar first.

    Attributes:
      indices: (n, k) into the training set; -1 where there were fewer.
      similarities: (n, k) cosines in [-1, 1]; -inf where there were fewer.
      classes: (n, k) of those images; -1 where there were fewer.
    """

    indices: np.ndarray
    similarities: np.ndarray
    classes: np.ndarray


def most_similar(
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    training: Dataset,
    *,
    k: int = 5,
    pooled: bool = False,
    block: int = 1024,
) -> tuple[SimilarImages, SimilarImages]:
    """Searches the whole training set by cosine similarity of the final convolutional output (Mejia et al., "Robust or Private?").

    Memory holds the features of one block of training images at a time, whatever the size of the set.

    Args:
      classifier: its features are compared; in the source it is the attacked model itself.
      images: (n, H, W, C) reconstructions in [0, 1].
      labels: (n,) the class that each is to show.
      training: m images, all of which are searched.
      k: number of images to return.
      pooled: whether to average the output over height and width first, which forgives a shift.
      block: training images at a time.

    Returns:
      The most similar images of any class, and those of the reconstruction's class; of equally similar ones the first.

    Raises:
      UserError: k or block is below 1, or the classifier has no features.
    """
    if min(k, block) < 1:
        raise expected("k and block of at least 1", f"k={k}, block={block}", "Change them.")
    labels = np.asarray(labels)
    queries = features(classifier, images, pooled=pooled)
    any_class, same_class = _Best.empty(len(images), k), _Best.empty(len(images), k)
    for start in range(0, len(training), block):
        places = np.arange(start, min(start + block, len(training)))
        references = features(classifier, training.images_at(slice(start, start + block)), pooled=pooled)
        cosines = queries @ references.T
        any_class = any_class.merge(places, cosines)
        same = training.labels[places] == labels[:, None]
        same_class = same_class.merge(places, np.where(same, cosines, -np.inf))
    return any_class.similar(training.labels), same_class.similar(training.labels)


@dataclasses.dataclass(frozen=True)
class _Best:
    """The k best candidates so far of each query."""

    indices: np.ndarray
    values: np.ndarray

    @classmethod
    def empty(cls, n, k):
        return cls(np.full((n, k), -1), np.full((n, k), -np.inf, np.float32))

    def merge(self, places, values):
        k = self.indices.shape[1]
        values = np.concatenate([self.values, values], axis=1)
        indices = np.concatenate([self.indices, np.broadcast_to(places, (len(values), len(places)))], axis=1)
        # Stable, so that of equal ones the earliest stays, whatever the blocks.
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        return _Best(np.take_along_axis(indices, order, 1), np.take_along_axis(values, order, 1))

    def similar(self, labels):
        exists = np.isfinite(self.values)
        classes = np.where(exists, labels[np.maximum(self.indices, 0)], -1)
        return SimilarImages(np.where(exists, self.indices, -1), self.values, classes)


def _search(queries, labels, training, training_labels, k):
    """(n, k) indices and distances; -1 and NaN for a class without training rows."""
    queries = queries.reshape(len(queries), -1)
    training = training.reshape(len(training), -1)
    indices, distances = np.full((len(queries), k), -1), np.full((len(queries), k), np.nan)
    for label in np.unique(labels):
        rows, training_rows = np.flatnonzero(labels == label), np.flatnonzero(training_labels == label)
        if not len(training_rows):
            continue
        neighbours = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(training[training_rows])
        distances[rows], places = neighbours.kneighbors(queries[rows])
        indices[rows] = training_rows[places]
    return indices, distances
