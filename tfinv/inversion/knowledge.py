"""Attacker knowledge: data that an attacker has beside the model, which reports print and checks compare with the training set."""

import dataclasses

import numpy as np

from tfinv.classifier import validation
from tfinv.errors import expected

# Phrases for reports, by what a method asks of the model.
_ACCESS = {
    "gradients": "white box",
    "confidences": "black box, confidences",
    "labels": "black box, labels only",
}


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """Data that the attacker has; none of it should be from the training set.

    Attributes:
      images: (m, H, W, C) float32 in [0, 1], auxiliary images; None for none.
      labels: (m,) classes of the images; None if the attacker doesn't know them.
      average: (H, W, C) in [0, 1], an average image; None for that of `images`.
      begin: (k, H, W, C) in [0, 1], images that the user wants to start from, used in turn; None for none.
      source: origin of the images, as a phrase for reports.
    """

    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    average: np.ndarray | None = None
    begin: np.ndarray | None = None
    source: str = "unnamed images"

    def __post_init__(self):
        for name in ("images", "begin"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _unit_images(getattr(self, name), name))
        if self.average is not None:
            object.__setattr__(self, "average", _unit_images(np.asarray(self.average)[None], "average")[0])
        elif self.images is not None:
            object.__setattr__(self, "average", self.images.mean(axis=0))
        if self.labels is not None:
            if self.images is None:
                raise expected("labels with images", "labels alone", "Pass `images`.")
            object.__setattr__(self, "labels", _labels(self.labels, len(self.images)))

    def require(self, item: str, method: str) -> np.ndarray:
        """The attribute named `item`.

        Args:
          item: name of an attribute.
          method: what needs it, as a word for the error.

        Raises:
          UserError: the attacker hasn't it.
        """
        array = getattr(self, item)
        if array is None:
            raise expected(
                f"knowledge of `{item}` for {method}", "none", f"Pass Knowledge({item}=...) or choose another."
            )
        return array

    def describe(self, access: str, needs: frozenset[str]) -> str:
        """A phrase such as "white box; 1,000 held-out images of mnist with labels".

        Args:
          access: "gradients", "confidences" or "labels": what the method asks of the model.
          needs: names of the attributes that the method uses.
        """
        phrases = [_ACCESS[access]]
        if needs & {"images", "labels"} and self.images is not None:
            with_labels = " with labels" if "labels" in needs and self.labels is not None else ""
            phrases.append(f"{len(self.images):,} {self.source}{with_labels}")
        elif "average" in needs:
            phrases.append(
                f"the average of {len(self.images):,} {self.source}" if self.images is not None else "an average image"
            )
        if "begin" in needs:
            phrases.append("images to start from")
        if len(phrases) == 1:
            phrases.append("no data")
        return "; ".join(phrases)


def _unit_images(images, name):
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not len(images):
        raise expected(f"{name} of shape (n, H, W, C)", f"shape {images.shape}", f"Change the argument `{name}`.")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise expected(f"{name} in [0, 1]", f"values from {images.min()} to {images.max()}", "Scale them to [0, 1].")
    return images


def _labels(labels, count):
    # The classifier's number of classes is unknown here; a method uses only labels of the classes that it reconstructs.
    return validation.check_labels(labels, count, int(np.max(labels, initial=0)) + 1)
