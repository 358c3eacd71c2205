"""What an attacker has beside the model, stated so that a report can print it and a check can doubt it."""

import dataclasses

import numpy as np

from tfinv import validation
from tfinv.errors import expected

_MODEL = {
    "gradients": "white box",
    "confidences": "black box, confidences",
    "labels": "black box, labels only",
}


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """Data that the attacker may have; nothing of it should be of the training set.

    Attributes:
      images: (m, H, W, C) float32 in [0, 1], auxiliary images; None for none.
      labels: (m,) their classes; None if the attacker doesn't know them.
      average: (H, W, C) in [0, 1], an average image; None for that of `images`.
      begin: (k, H, W, C) in [0, 1], images that the user wants to start from, used in turn; None for none.
      source: where the images are from, as a phrase for reports.
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

    def require(self, what: str, who: str) -> np.ndarray:
        """The attribute `what`.

        Raises:
          UserError: the attacker hasn't it; `who` needs it.
        """
        value = getattr(self, what)
        if value is None:
            raise expected(f"knowledge of `{what}` for {who}", "none", f"Pass Knowledge({what}=...) or choose another.")
        return value

    def describe(self, access: str, needs: frozenset[str]) -> str:
        """A phrase such as "white box; 1,000 held-out images of mnist with labels".

        Args:
          access: "gradients", "confidences" or "labels": what is asked of the model.
          needs: names of the attributes that the method uses.
        """
        has = [_MODEL[access]]
        if needs & {"images", "labels"} and self.images is not None:
            with_labels = " with labels" if "labels" in needs and self.labels is not None else ""
            has.append(f"{len(self.images):,} {self.source}{with_labels}")
        elif "average" in needs:
            has.append(
                f"the average of {len(self.images):,} {self.source}" if self.images is not None else "an average image"
            )
        if "begin" in needs:
            has.append("images to start from")
        if len(has) == 1:
            has.append("no data")
        return "; ".join(has)


def _unit_images(images, name):
    images = np.asarray(images, np.float32)
    if images.ndim != 4 or not len(images):
        raise expected(f"{name} of shape (n, H, W, C)", f"shape {images.shape}", f"Change the argument `{name}`.")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise expected(f"{name} in [0, 1]", f"values from {images.min()} to {images.max()}", "Scale them to [0, 1].")
    return images


def _labels(labels, count):
    # Whether they fit the classifier's classes is not known here; a method looks only for the classes that it is asked for.
    return validation.check_labels(labels, count, int(np.max(labels, initial=0)) + 1)
