"""`Subject`: the model under audit and its images; what several questions need is loaded, predicted or traced once."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from tfinv.auditing.subjects.sides import Sides
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset
from tfinv.evaluation.robustness.stream import BoundedImages
from tfinv.importing.probing import Setting
from tfinv.runs import descriptions
from tfinv.runs.cluster import Cluster
from tfinv.runs.sources import ImageSource, ModelSource

EXPERIMENT = "model"  # name of the model in rows


@dataclasses.dataclass(frozen=True, eq=False)
class Origin:
    """The files behind a subject, from which other processes load it.

    Attributes:
      model: its file.
      images: the data set.
      split: of the data set.
    """

    model: ModelSource
    images: ImageSource
    split: str

    def load(self, limit: int | None = None) -> tuple[Classifier, Dataset]:
        """Returns the model, and the first images of the split."""
        classifier = self.model.load()
        return classifier, self.images.load(self.split, limit, classifier)


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A model under audit.

    Attributes:
      classifier: the model.
      data: n labelled images that it was not trained on.
      eps: in L-inf, as a fraction of the range, by which its robustness is judged.
      digests: of the model, by which an audit that goes on knows it again, and of whatever else the results depend on.
      training: returns the images that it was trained on, or None where they are not known.
      assumption: how it is known that it was trained on these.
      sides: members and non-members; None where they are not known.
      shadows: folder of a store of shadow models, or None.
      origin: the files behind it; None for objects of Python, which no other process can load.
      setting: how images become the model's input; None for its bounds and nothing else.
      bare: see `probe_preprocessing`.
      model: returns the Keras model, or None where there is none; shadow models may have its architecture.
      cluster: processes that share the attacks.
      seed: of everything random.
      batch_size: images in one compiled call.
      progress: is told a line as each part starts.
    """

    classifier: Classifier
    data: Dataset
    eps: float
    digests: dict[str, str]
    training: Callable[[], Dataset | None] = lambda: None
    assumption: str = ""
    sides: Callable[[], Sides | None] = lambda: None
    shadows: str | None = None
    origin: Origin | None = None
    setting: Setting | None = None
    bare: Callable[[], Classifier] | None = None
    model: Callable[[], Any] | None = None
    cluster: Cluster = dataclasses.field(default_factory=Cluster)
    seed: int = 0
    batch_size: int = 128
    progress: Callable[[str], None] = lambda line: None

    @functools.cached_property
    def attacked(self) -> Classifier:
        """The classifier with a faster copy for gradients, where it has any."""
        return self.classifier.with_gradients("folded") if self.classifier.differentiable else self.classifier

    @functools.cached_property
    def images(self) -> BoundedImages:
        """All images in the classifier's bounds, made as they are needed."""
        return BoundedImages(self.data, self.classifier)

    @functools.cached_property
    def _logits(self) -> list[np.ndarray]:
        return []

    def logits(self, count: int) -> np.ndarray:
        """Returns the logits of the first images, (min(count, n), K) float32; each image is predicted once."""
        count = min(count, len(self.data))
        done = sum(map(len, self._logits))
        for start in range(done, count, self.batch_size):
            images = self.images[start : min(start + self.batch_size, count)]
            self._logits.append(self.classifier.predict(images, self.batch_size))
        return np.concatenate(self._logits)[:count]

    def predictions(self, count: int) -> np.ndarray:
        """Returns the predicted classes of the first images, (min(count, n),)."""
        return self.logits(count).argmax(axis=1)

    def confidences(self, count: int) -> np.ndarray:
        """Returns the probabilities of the predicted classes, (min(count, n),) float64; NaN for a model that gives labels alone."""
        if not self.classifier.scores:
            return np.full(min(count, len(self.data)), np.nan)
        return special.softmax(self.logits(count).astype(np.float64), axis=1).max(axis=1)

    @functools.cached_property
    def training_images(self) -> Dataset | None:
        """The images that the model was trained on, if they are known."""
        return self.training()

    @functools.cached_property
    def membership(self) -> Sides | None:
        """Members and non-members, if they are known."""
        return self.sides()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the outputs."""
        return descriptions.class_names(self.classifier, self.data)
