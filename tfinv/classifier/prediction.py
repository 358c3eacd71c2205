"""`Predictor`: logits, features and accuracy of a classifier, computed in batches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.classifier import validation
from tfinv.classifier.graphs import Function
from tfinv.errors import expected

ITSELF = "the model itself"
_SHOWN = 10  # names of classes in the representation


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """A function from images to logits and features, with its input and output format. Immutable; the base of `Classifier`.

    Attributes:
      bounds: the least and the largest value of a pixel.
      num_classes: the number of classes, K.
      input_shape: (H, W, C) of one image.
      logits_source: how the logits are obtained from the model, as a phrase for reports.
      differentiable: whether gradients flow from the logits to the images.
      gradient_source: the model behind `gradient_logits`, as a phrase for reports; see `accelerated`.
      exact_gradients: False if that is less precise than `logits`, so that success has to be verified with `logits`.
      scores: False if only the predicted labels are known, and the logits are one-hot rows of them.
      notes: what was done to make the model fit, each a phrase for reports.
      class_names: names of the classes in the order of the logits, or None where they are not known.
    """

    bounds: tuple[float, float]
    num_classes: int
    input_shape: tuple[int, int, int]
    logits_source: str
    differentiable: bool
    _logits: Function
    _features: Function | None = None
    _gradient_logits: Function | None = None
    gradient_source: str = ITSELF
    exact_gradients: bool = True
    scores: bool = True
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None

    def logits(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the logits in inference mode: (batch, H, W, C) float32 to (batch, K) float32. Checks nothing."""
        return tf.cast(self._logits(self._as_images(x)), tf.float32)

    def gradient_logits(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the logits to differentiate, shaped as `logits`; they differ from it only if `accelerated` made a copy."""
        function = self._gradient_logits or self._logits
        return tf.cast(function(self._as_images(x)), tf.float32)

    def _as_images(self, x: tf.Tensor) -> tf.Tensor:
        """A tensor as float32 whose static shape is known; that of a loop's variable in a compiled function may not be."""
        images = tf.cast(x, tf.float32)
        images.set_shape((None, *self.input_shape))
        return images

    def require(self, need: str, attack: str, instead: str) -> None:
        """Checks that the classifier provides the access that an attack needs.

        Args:
          need: "gradients", "scores", "confidences", which are scores too, or "labels", which every classifier provides.
          attack: name of the attack, for the error.
          instead: alternative without that access, as a sentence for the error.

        Raises:
          UserError: the classifier does not provide it.
        """
        access = {"gradients": self.differentiable, "scores": self.scores, "confidences": self.scores}
        if not access.get(need, True):
            source = self.notes[0] if need == "gradients" and self.notes else self.logits_source
            raise expected(f"a classifier with {need} for {attack}", source, instead)

    @property
    def has_features(self) -> bool:
        """Whether `features` can be called."""
        return self._features is not None

    def features(self, x: tf.Tensor, pooled: bool = True) -> tf.Tensor:
        """Returns the features in the layer before the head, or in the chosen layer.

        Args:
          x: (batch, H, W, C) float32 images.
          pooled: whether to average 4-D features over height and width.

        Returns:
          The output of the layer chosen when the classifier was created, else the last convolutional map, else the input of
          the head; float32, (batch, c) if pooled, else in the layer's own shape.

        Raises:
          UserError: the classifier has no features.
        """
        if self._features is None:
            raise expected(
                "a classifier with features",
                "one whose layers cannot be seen",
                "Pass features= to Classifier.from_callable, or use a functional or Sequential Keras model.",
            )
        values = tf.cast(self._features(self._as_images(x)), tf.float32)
        return tf.reduce_mean(values, axis=(1, 2)) if pooled and values.shape.rank == 4 else values

    @functools.cached_property
    def compiled_logits(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """`logits` as one graph, traced once for every batch size."""
        return tf.function(self.logits, input_signature=[tf.TensorSpec((None, *self.input_shape), tf.float32)])

    def validate(self, images: Any, labels: Any = None) -> tuple[np.ndarray, Any]:
        """Checks images, and labels unless they are None.

        Args:
          images: (n, H, W, C) numbers within the bounds.
          labels: (n,) integers from 0 to K - 1.

        Returns:
          The images as float32 and the labels as int64, or None if there are none.

        Raises:
          UserError: either is not as above.
        """
        checked = validation.check_images(images, self.input_shape, self.bounds)
        if labels is None:
            return checked, None
        return checked, validation.check_labels(labels, len(checked), self.num_classes)

    def predict(self, images: Any, batch_size: int = 256) -> np.ndarray:
        """Computes the logits of many images, (n, K) float32, in batches of one shape.

        Raises:
          UserError: the images are not valid.
        """
        return run_in_batches(self.compiled_logits, self.validate(images)[0], batch_size)

    def accuracy(self, images: Any, labels: Any, batch_size: int = 256) -> float:
        """Computes the accuracy: the share of images whose largest logit is that of their label.

        Raises:
          UserError: the images or the labels are not valid.
        """
        images, labels = self.validate(images, labels)
        return float(np.mean(self.predict(images, batch_size).argmax(axis=-1) == labels))

    def from_unit(self, images: Any) -> np.ndarray:
        """Maps images in [0, 1] to the bounds; float32, never outside them."""
        low, high = self.bounds
        scaled = low + np.asarray(images, np.float64) * (high - low)
        return np.clip(scaled.astype(np.float32), np.float32(low), np.float32(high))

    def to_unit(self, images: Any) -> np.ndarray:
        """Maps images in the bounds to [0, 1]; float32, never outside it."""
        low, high = self.bounds
        scaled = (np.asarray(images, np.float64) - low) / (high - low)
        return np.clip(scaled.astype(np.float32), np.float32(0), np.float32(1))

    def __repr__(self) -> str:
        optional = {
            "gradient_source": self.gradient_source if self.gradient_source != ITSELF else None,
            "notes": self.notes or None,
            "class_names": self.class_names and (*self.class_names[:_SHOWN], *("...",) * (self.num_classes > _SHOWN)),
        }
        rest = "".join(f", {name}={value!r}" for name, value in optional.items() if value is not None)
        return (
            f"{type(self).__name__}(input_shape={self.input_shape}, num_classes={self.num_classes}, bounds={self.bounds}, "
            f"logits_source={self.logits_source!r}, differentiable={self.differentiable}{rest})"
        )


def run_in_batches(fn: Callable[[tf.Tensor], tf.Tensor], images: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Applies `fn` to (n, H, W, C) float32 images in batches of one shape, the last one padded.

    Raises:
      UserError: the batch size is not positive.
    """
    if batch_size < 1:
        raise expected("a positive batch size", batch_size, "Change batch_size or --batch_size.")
    size = min(batch_size, len(images))
    parts = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        padding = size - len(batch)
        if padding:
            batch = np.concatenate([batch, np.repeat(batch[-1:], padding, axis=0)])
        parts.append(np.asarray(fn(tf.constant(batch)))[: size - padding])
    return np.concatenate(parts)
