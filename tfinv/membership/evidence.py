"""`Evidence`: all that a membership attack may look at, of the examples whose membership is asked for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.errors import expected

if TYPE_CHECKING:
    from tfinv.membership.shadows.shadows import Shadows


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """Data on n examples, members and non-members in any order. Arrays are checked and converted when it is created.

    Attributes:
      labels: (n,) int64 true classes.
      logits: (n, Q, K) float32 of the target, query 0 of which is the image itself; (n, K) is taken as one query. None where the
        target gives labels only.
      predictions: (n,) int64 classes that the target predicts; of the first query's logits where they are left out.
      classifier: the target, for attacks that query it themselves.
      images: (n, H, W, C) float32, in the classifier's bounds.
      shadows: reference models' logits of the same n examples; the target and its complement are not among them.
      trajectory: (n, epochs) float64 losses of the examples after each epoch of the target's training.
      population: evidence on other examples that are not members, for attacks that learn from such.
      rows: (n,) int64 numbers of the examples, which seed what is drawn for them; None for 0 to n - 1.
      batch_size: largest number of images in one call of the classifier.
      seed: of all random draws.

    Raises:
      UserError: arrays of other lengths or shapes, not finite, no example, or labels beyond the classes.
    """

    labels: np.ndarray
    logits: np.ndarray | None = None
    predictions: np.ndarray | None = None
    classifier: Classifier | None = None
    images: np.ndarray | None = None
    shadows: Shadows | None = None
    trajectory: np.ndarray | None = None
    population: Evidence | None = None
    rows: np.ndarray | None = None
    batch_size: int = 256
    seed: int = 0

    def __post_init__(self):
        self._set("labels", _integers(self.labels, "labels"))
        n = len(self.labels)
        if n < 1:
            raise expected("at least one example", "none", "Change labels=.")
        if self.labels.min() < 0:
            raise expected("labels of at least 0", self.labels.min(), "Change labels=.")
        if self.logits is not None:
            values = np.asarray(self.logits)
            self._set("logits", _floats(values[:, np.newaxis] if values.ndim == 2 else values, "logits", n, 3))
            self._check_logits()
        if self.predictions is None and self.logits is not None:
            self._set("predictions", self.logits[:, 0].argmax(axis=-1))
        if self.images is not None:
            self._set("images", _floats(self.images, "images", n, 4))
        if self.trajectory is not None:
            self._set("trajectory", _floats(self.trajectory, "trajectory", n, 2, np.float64))
        if self.rows is None:
            self._set("rows", np.arange(n))
        for name in ("predictions", "rows"):
            if getattr(self, name) is not None:
                self._set(name, _integers(getattr(self, name), name, n))
        if self.shadows is not None and len(self.shadows.members) != n:
            raise expected(f"shadows of the same {n} examples", len(self.shadows.members), "Change shadows=.")
        if self.batch_size < 1:
            raise expected("a positive batch size", self.batch_size, "Change batch_size=.")

    @classmethod
    def from_classifier(cls, classifier: Classifier, images: Any, labels: Any, **fields: Any) -> Evidence:
        """Evidence with the classifier's predictions of the images, and its logits where it gives scores.

        Args:
          classifier: the target.
          images: (n, H, W, C) in its bounds.
          labels: (n,) true classes.
          **fields: other attributes, such as `shadows`.

        Raises:
          UserError: images or labels that the classifier refuses, or fields that `Evidence` does.
        """
        images, labels = classifier.validate(images, labels)
        logits = classifier.predict(images, fields.get("batch_size", cls.batch_size))
        values: dict[str, Any] = {"logits": logits} if classifier.scores else {"predictions": logits.argmax(axis=-1)}
        return cls(labels, classifier=classifier, images=images, **values | fields)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Any) -> Evidence:
        """Evidence on some of the examples, in the order of the indices; they keep the numbers that seed their draws."""
        indices = np.arange(len(self))[np.asarray(indices)]
        names = ("labels", "logits", "predictions", "images", "trajectory", "rows")
        arrays = {name: getattr(self, name)[indices] for name in names if getattr(self, name) is not None}
        shadows = None if self.shadows is None else self.shadows.rows(indices)
        return dataclasses.replace(self, shadows=shadows, **arrays)

    def _check_logits(self):
        assert self.logits is not None
        _, queries, classes = self.logits.shape
        if queries < 1 or classes < 2:
            raise expected(
                "logits of a query and two classes at least", f"shape {self.logits.shape}", "Change logits=."
            )
        if self.labels.max() >= classes:
            raise expected(f"labels from 0 to {classes - 1}", self.labels.max(), "Change labels= or logits=.")

    def _set(self, name, value):
        object.__setattr__(self, name, value)


def _integers(values: Any, name: str, count: int | None = None) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "ui" and array.size):
        raise expected(f"{name} as integers of shape (n,)", f"{array.dtype} of shape {array.shape}", f"Change {name}=.")
    if count is not None and len(array) != count:
        raise expected(f"{count} {name}, as many as labels", len(array), f"Change {name}=.")
    return array.astype(np.int64)


def _floats(values: Any, name: str, count: int, rank: int, dtype: type = np.float32) -> np.ndarray:
    """The values as floats of a rank and length; logits and losses that are not finite can't be ranked."""
    array = np.asarray(values)
    if array.dtype.kind not in "uif" and array.dtype.name != "bfloat16":
        raise expected(f"{name} as real numbers", array.dtype, f"Change {name}=.")
    if array.ndim != rank:
        raise expected(
            f"{name} of {rank} axes, the first of them the examples", f"shape {array.shape}", f"Change {name}=."
        )
    if len(array) != count:
        raise expected(f"{name} of {count} examples, as many as labels", len(array), f"Change {name}=.")
    with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, and is refused below
        array = array.astype(dtype, copy=False)
    finite = np.isfinite(array).reshape(count, -1).all(axis=1)
    if not finite.all():
        rows = np.flatnonzero(~finite)
        received = f"NaN or infinity in {len(rows)} of {count} examples, first in example {rows[0]}"
        raise expected(f"finite {name}", received, f"Change {name}=, or leave these examples out.")
    return array
