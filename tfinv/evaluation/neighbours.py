"""The nearest training images of a reconstruction: the evidence that it shows something of the training set."""

import dataclasses

import numpy as np
from sklearn.neighbors import NearestNeighbors


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
    """Searches among the training rows of each query's class.

    Args:
      queries: (n, ...) reconstructions: pixels or features, flattened here.
      labels: (n,) the class of each.
      training: (m, ...) of the same kind.
      training_labels: (m,).

    Returns:
      For each query its nearest training row by L2 distance; -1 and NaN where its class has no training row.
    """
    queries = queries.reshape(len(queries), -1)
    training = training.reshape(len(training), -1)
    indices, distances = np.full(len(queries), -1), np.full(len(queries), np.nan)
    for label in np.unique(labels):
        here, there = np.flatnonzero(labels == label), np.flatnonzero(training_labels == label)
        if not len(there):
            continue
        found = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(training[there])
        distance, place = found.kneighbors(queries[here])
        indices[here], distances[here] = there[place[:, 0]], distance[:, 0]
    return Neighbours(indices, distances)
