"""Images of a data set in a classifier's bounds, made as they are needed."""

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset


class BoundedImages:
    """A data set's images as float32 in the bounds of a classifier, a slice at a time.

    Args:
      dataset: whose pixels stay in their own type.
      classifier: gives the bounds.
    """

    def __init__(self, dataset: Dataset, classifier: Classifier):
        self._dataset, self._classifier = dataset, classifier

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._classifier.from_unit(self._dataset.images_at(rows))
