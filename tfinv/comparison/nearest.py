"""The training images nearest to a reconstruction in the attacked model's own features, and their classes.

This is the evidence of Mejia et al., "Robust or Private?": an adversarially trained model's nearest images look like its
reconstructions, and those of other models are unrelated.
"""

import dataclasses

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.inversion.neighbours import SimilarImages, most_similar
from tfinv.evaluation.inversion.provenance import are_copies
from tfinv.evaluation.statistics.measurement import Values
from tfinv.labels import order_in_class

Arrays = dict[str, np.ndarray]
_K = 4
_MAX_RECONSTRUCTIONS = 1000  # their features are held at once, unpooled
# Prefixes of the stored arrays.
_PREFIXES = {"any_class": "anyone", "same_class": "own"}


@dataclasses.dataclass(frozen=True, eq=False)
class NearestImages:
    """Nearest training images of n reconstructions, and their classes for the starts and for held-out images.

    Similarity is the cosine of the attacked model's last convolutional maps. An adversarial example deceives it as it deceives
    the classifier.

    Attributes:
      rows: (n,) rows of the reconstructions, the first sample of each class before the second of any.
      labels: (n,) the class of each.
      any_class: the training images nearest to each.
      same_class: the nearest training images of its own class.
      starts: (n,) the class of the training image nearest to each start.
      held_out: (m,) the class of the training image nearest to each held-out image.
      held_out_labels: (m,) the classes of the held-out images.
    """

    rows: np.ndarray
    labels: np.ndarray
    any_class: SimilarImages
    same_class: SimilarImages
    starts: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray

    def values(self) -> tuple[Values, ...]:
        """Whether the nearest training image is of the right class: for reconstructions, their starts and held-out images."""
        classes = {
            "nearest_is_of_class": (self.any_class.classes[:, 0], self.labels),
            "start_nearest_is_of_class": (self.starts, self.labels),
            "held_out_nearest_is_of_class": (self.held_out, self.held_out_labels),
        }
        return tuple(
            Values(name, nearest == labels, labels) for name, (nearest, labels) in classes.items() if len(labels)
        )

    def summary(self) -> str:
        """The values as a sentence."""
        subjects = {"nearest": "the reconstructions", "start": "what they began with", "held": "held-out images"}
        shares = [f"{100 * v.values.mean():.0f} % of {subjects[v.measure.split('_')[0]]}" for v in self.values()]
        return f"The nearest is of the intended class for {', '.join(shares)}."

    def to_arrays(self) -> Arrays:
        """Returns arrays by name, from which `from_arrays` makes an equal object."""
        similar = {f"{p}_{k}": v for name, p in _PREFIXES.items() for k, v in vars(getattr(self, name)).items()}
        return similar | {k: v for k, v in vars(self).items() if k not in _PREFIXES}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "NearestImages":
        """Returns the object that `to_arrays` was called on."""
        fields = [f.name for f in dataclasses.fields(SimilarImages)]
        any_class, same_class = (SimilarImages(*(arrays[f"{p}_{f}"] for f in fields)) for p in _PREFIXES.values())
        others = (arrays[name] for name in ("starts", "held_out", "held_out_labels"))
        return cls(arrays["rows"], arrays["labels"], any_class, same_class, *others)


def search(arrays: Arrays, classifier: Classifier, train: Dataset, held_out: Dataset) -> NearestImages:
    """Searches all training images of the attacked model; see `most_similar`.

    Args:
      arrays: "images" and "starts" (n, H, W, C) in [0, 1], and "labels" (n,); of more than a thousand the first.
      classifier: the attacked model, which has features.
      train: its training images.
      held_out: other images; of each class the first that are not in `train` are used, as many as there are reconstructions.
    """
    rows = np.argsort(order_in_class(arrays["labels"]), kind="stable")[:_MAX_RECONSTRUCTIONS]
    labels = arrays["labels"][rows]
    real = np.flatnonzero(~are_copies(held_out, train))
    classes = held_out.labels[real]
    selected = order_in_class(classes) < np.array([np.sum(labels == label) for label in classes])
    real, classes = real[selected], classes[selected]
    images = np.concatenate([arrays["images"][rows], arrays["starts"][rows], held_out.images_at(real)])
    any_class, same_class = most_similar(classifier, images, np.concatenate([labels, labels, classes]), train, k=_K)
    n, nearest = len(rows), any_class.classes[:, 0]
    starts, others = nearest[n : 2 * n], nearest[2 * n :]
    return NearestImages(rows, labels, _first(any_class, n), _first(same_class, n), starts, others, classes)


def _first(similar: SimilarImages, n: int) -> SimilarImages:
    return SimilarImages(similar.indices[:n], similar.similarities[:n], similar.classes[:n])
