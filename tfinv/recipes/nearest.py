"""The training images that the attacked model itself finds nearest to a reconstruction, and of which class they are.

It is the evidence of Mejia et al., "Robust or Private?": those of an adversarially trained model are alike, of others unrelated.
"""

import dataclasses

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.measurement import Values
from tfinv.evaluation.neighbours import Similar, most_similar
from tfinv.evaluation.provenance import are_copies
from tfinv.labels import order_in_class

Arrays = dict[str, np.ndarray]
_K = 4
_MOST = 1000  # reconstructions: their features are held at once, unpooled


@dataclasses.dataclass(frozen=True, eq=False)
class Nearest:
    """What was found for n reconstructions, for what each began with, and for held-out images.

    Nearness is the cosine of the last convolutional maps of the attacked model. So it is that model's own view, which an
    adversarial example deceives as it deceives the classifier.

    Attributes:
      rows: (n,) which of the reconstructions were searched for, the first sample of each class before the second of any.
      labels: (n,) the class of each.
      anyone: the training images nearest to each.
      own: those of its own class.
      starts: (n,) the class of the training image nearest to what each began with.
      held_out: (m,) the class of the training image nearest to each held-out image.
      held_out_labels: (m,) the classes of those.
    """

    rows: np.ndarray
    labels: np.ndarray
    anyone: Similar
    own: Similar
    starts: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray

    def values(self) -> tuple[Values, ...]:
        """How often the nearest training image is of the class, of the reconstructions and of what to compare them with."""
        found = {
            "nearest_is_of_class": (self.anyone.classes[:, 0], self.labels),
            "start_nearest_is_of_class": (self.starts, self.labels),
            "held_out_nearest_is_of_class": (self.held_out, self.held_out_labels),
        }
        return tuple(Values(name, near == labels, labels) for name, (near, labels) in found.items() if len(labels))

    def told(self) -> str:
        """The values as a sentence."""
        whose = {"nearest": "the reconstructions", "start": "what they began with", "held": "held-out images"}
        shares = [f"{100 * v.values.mean():.0f} % of {whose[v.measure.split('_')[0]]}" for v in self.values()]
        return f"The nearest is of the intended class for {', '.join(shares)}."

    def to_arrays(self) -> Arrays:
        """Arrays by name, from which `from_arrays` makes the same."""
        similar = {f"{name}_{k}": v for name in ("anyone", "own") for k, v in vars(getattr(self, name)).items()}
        return similar | {k: v for k, v in vars(self).items() if k not in ("anyone", "own")}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Nearest":
        """What `to_arrays` made."""
        fields = [f.name for f in dataclasses.fields(Similar)]
        anyone, own = (Similar(*(arrays[f"{name}_{f}"] for f in fields)) for name in ("anyone", "own"))
        plain = (arrays[name] for name in ("starts", "held_out", "held_out_labels"))
        return cls(arrays["rows"], arrays["labels"], anyone, own, *plain)


def search(found: Arrays, classifier: Classifier, trained: Dataset, held_out: Dataset) -> Nearest:
    """Searches all images that the attacked model was trained on; see `most_similar`.

    Args:
      found: "images" and "starts" (n, H, W, C) in [0, 1], and "labels"; of more than a thousand the first.
      classifier: the attacked model, which has features.
      trained: what it was trained on.
      held_out: what it was not; of each class as many as of the reconstructions, the first that are not in `trained`, too.
    """
    rows = np.argsort(order_in_class(found["labels"]), kind="stable")[:_MOST]
    labels = found["labels"][rows]
    real = np.flatnonzero(~are_copies(held_out, trained))
    classes = held_out.labels[real]
    chosen = order_in_class(classes) < np.array([np.sum(labels == label) for label in classes])
    real, classes = real[chosen], classes[chosen]
    images = np.concatenate([found["images"][rows], found["starts"][rows], held_out.images_at(real)])
    anyone, own = most_similar(classifier, images, np.concatenate([labels, labels, classes]), trained, k=_K)
    n, nearest = len(rows), anyone.classes[:, 0]
    starts, others = nearest[n : 2 * n], nearest[2 * n :]
    return Nearest(rows, labels, _first(anyone, n), _first(own, n), starts, others, classes)


def _first(similar: Similar, n: int) -> Similar:
    return Similar(similar.indices[:n], similar.similarities[:n], similar.classes[:n])
