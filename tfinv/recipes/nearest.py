"""The training images that the attacked model itself finds nearest to a reconstruction, and of which class they are.

It is the evidence of Mejia et al., "Robust or Private?": those of an adversarially trained model are alike, of others unrelated.
"""

import dataclasses

import numpy as np

from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.measurement import Values
from tfinv.evaluation.neighbours import Similar, most_similar
from tfinv.labels import order_in_class

Arrays = dict[str, np.ndarray]
_K = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Nearest:
    """What was found for n reconstructions, for what each began with, and for held-out images.

    Nearness is the cosine of the last convolutional maps of the attacked model. So it is that model's own view, which an
    adversarial example deceives as it deceives the classifier.

    Attributes:
      labels: (n,) the class of each reconstruction.
      anyone: the training images nearest to each.
      own: those of its own class.
      starts: (n,) the class of the training image nearest to what each began with.
      held_out: (m,) the class of the training image nearest to each held-out image.
      held_out_labels: (m,) the classes of those.
    """

    labels: np.ndarray
    anyone: Similar
    own: Similar
    starts: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray

    def values(self) -> tuple[Values, ...]:
        """How often the nearest training image is of the class, of the reconstructions and of what to compare them with."""
        name = "nearest_is_of_class"
        values = [
            Values(name, self.anyone.classes[:, 0] == self.labels, self.labels),
            Values(f"start_{name}", self.starts == self.labels, self.labels),
        ]
        if len(self.held_out):
            held_out = self.held_out == self.held_out_labels
            values.append(Values(f"held_out_{name}", held_out, self.held_out_labels))
        return tuple(values)

    def told(self) -> str:
        """The values as a sentence."""
        whose = ("the reconstructions", "what they began with", "held-out images")
        shares = [f"{100 * v.values.mean():.0f} % of {of}" for v, of in zip(self.values(), whose, strict=False)]
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
        return cls(arrays["labels"], anyone, own, arrays["starts"], arrays["held_out"], arrays["held_out_labels"])


def search(found: Arrays, classifier: Classifier, trained: Dataset, held_out: Dataset) -> Nearest:
    """Searches all images that the attacked model was trained on; see `most_similar`.

    Args:
      found: "images" and "starts" (n, H, W, C) in [0, 1], and "labels".
      classifier: the attacked model, which has features.
      trained: what it was trained on.
      held_out: what it was not; of each class of `labels` as many as it has there, the first.
    """
    labels = found["labels"]
    wanted = np.array([np.sum(labels == label) for label in held_out.labels])
    rows = np.flatnonzero(order_in_class(held_out.labels) < wanted)
    images = np.concatenate([found["images"], found["starts"], held_out.images[rows]])
    anyone, own = most_similar(
        classifier, images, np.concatenate([labels, labels, held_out.labels[rows]]), trained, k=_K
    )
    n, nearest = len(labels), anyone.classes[:, 0]
    return Nearest(
        labels, _first(anyone, n), _first(own, n), nearest[n : 2 * n], nearest[2 * n :], held_out.labels[rows]
    )


def _first(similar: Similar, n: int) -> Similar:
    return Similar(similar.indices[:n], similar.similarities[:n], similar.classes[:n])
