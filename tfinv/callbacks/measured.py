"""`MeasuringCallback`: base of the callbacks that add a metric to the logs of an epoch."""

import dataclasses
import sys
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Measured:
    """A metric after an epoch.

    Attributes:
      epoch: counted from 0.
      value: of the metric.
      n: number of images.
      ci95: 95 % interval over the images.
    """

    epoch: int
    value: float
    n: int
    ci95: tuple[float, float]


class MeasuringCallback(keras.callbacks.Callback):
    """Measures the model after an epoch, and writes the metric into `logs`, where other callbacks read it.

    It measures after the first epoch, every so many, and after the last; between these the logs repeat the last value, so that
    callbacks which monitor it find one and see no improvement. The model is read as it is after the epoch, through one
    `Classifier` that is made once a training: nothing is traced again, and dropout and batch norm are as in inference.

    Callbacks run in the order of their list, so this one has to come before those that monitor its metric. If one of them comes
    before, this one moves itself in front of all when the training begins.

    Args:
      metric: name in the logs.
      every: number of epochs from one measurement to the next.
      classifier: arguments of `Classifier.from_keras`: bounds, outputs, threshold and so on.
      batch_size: images in one compiled call.

    Attributes:
      measured: what was measured, with intervals, one `Measured` an entry.

    Raises:
      UserError: `every` or `batch_size` is not positive.
    """

    def __init__(self, metric: str, every: int, classifier: Mapping[str, Any], batch_size: int):
        super().__init__()
        for name, count in (("every", every), ("batch_size", batch_size)):
            if count < 1:
                raise expected(f"a positive `{name}`", count, f"Change `{name}`.")
        self.metric, self.every, self.batch_size = metric, every, batch_size
        self.measured: list[Measured] = []
        self._options = dict(classifier)
        self._first = 0
        self._classifier: Classifier | None = None

    def measure(self, classifier: Classifier) -> tuple[float, int, tuple[float, float]]:
        """Returns value, number of images and 95 % interval of the metric."""
        raise NotImplementedError

    def on_train_begin(self, logs=None):
        """Forgets another training, and moves in front of the callbacks that monitor the metric."""
        self.measured, self._classifier = [], None
        run_first(self, self.metric)

    def on_epoch_end(self, epoch, logs=None):
        """Measures, if it is time, and writes the metric into the logs."""
        if not self.measured:
            self._first = epoch
        last = epoch + 1 == (self.params or {}).get("epochs")
        if not self.measured or last or (epoch - self._first) % self.every == 0:
            if self._classifier is None:
                self._classifier = Classifier.from_keras(self.model, **self._options)
            value, n, ci95 = self.measure(self._classifier)
            self.measured.append(Measured(epoch, value, n, ci95))
        if logs is not None:
            logs[self.metric] = self.measured[-1].value

    def __getstate__(self) -> dict[str, Any]:
        # KerasTuner copies callbacks before each trial. The model of the last training, and its classifier, are not the copy's.
        return self.__dict__ | {"_classifier": None, "_model": None}


def run_first(callback: keras.callbacks.Callback, metric: str) -> None:
    """Moves a callback to the front of the list that is calling it, if one that monitors its metric comes before it.

    Keras tells a callback nothing of the others. The list is the caller of this callback's method; where it can't be found, the
    order stays as it is.

    Args:
      callback: whose method calls this function.
      metric: that others monitor.
    """
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and not isinstance(frame.f_locals.get("self"), keras.callbacks.CallbackList):
        frame = frame.f_back
    if frame is None:
        return
    owner = frame.f_locals["self"]
    if not any(other is callback for other in owner.callbacks):
        return
    place = next(place for place, other in enumerate(owner.callbacks) if other is callback)
    if any(getattr(other, "monitor", None) == metric for other in owner.callbacks[:place]):
        # A new list, since the old one is being iterated over.
        owner.callbacks = [callback, *(other for other in owner.callbacks if other is not callback)]


def some_images(images: Any, labels: Any, limit: int | None, seed: int, names: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns a random choice of images and labels, in their own order.

    Args:
      images: (n, H, W, C).
      labels: (n,) or (n, 1) integers.
      limit: how many at most; None for all.
      seed: of the choice.
      names: of the two arguments, for the error.

    Raises:
      UserError: there are no images, not as many labels, or `limit` is not positive.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if not len(images) or labels.shape != images.shape[:1]:
        received = f"shapes {images.shape} and {labels.shape}"
        raise expected("images (n, H, W, C) and whole-number labels (n,), n >= 1", received, f"Change {names}.")
    if limit is None or limit >= len(images):
        return images, labels
    if limit < 1:
        raise expected("a positive `limit`", limit, "Change `limit`.")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:limit])
    return images[chosen], labels[chosen]
