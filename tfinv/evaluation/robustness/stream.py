"""Images of a data set in a classifier's bounds, made as they are needed."""

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset

_BLOCK = 32


class BoundedImages:
    """A data set's images as float32 in the bounds of a classifier, a slice at a time.

    Args:
      dataset: whose pixels stay in their own type, and in their files if they are many.
      classifier: gives the bounds.
    """

    def __init__(self, dataset: Dataset, classifier: Classifier):
        self.dataset, self._classifier = dataset, classifier

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: slice) -> np.ndarray:
        places = range(len(self.dataset))[rows]
        images = np.empty((len(places), *self.dataset.image_shape), np.float32)
        for start in range(0, len(places), _BLOCK):  # float64, in which they are scaled, takes twice the memory
            block = places[start : start + _BLOCK]
            images[start : start + _BLOCK] = self._classifier.from_unit(self.dataset.images_at(np.array(block)))
        return images
