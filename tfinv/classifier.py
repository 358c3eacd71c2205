"""Any image classifier, seen as a function from bounded images to logits."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfinv import acceleration, graphs, heads, validation
from tfinv import features as feature_views
from tfinv.errors import expected

Outputs = Literal["logits", "probabilities"]
Precision = Literal["float32", "bfloat16"]
Function = Callable[[tf.Tensor], tf.Tensor]
_ITSELF = "the model itself"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """A classifier of images, with what an attack needs to know of it. Immutable; make one with `from_...`.

    Attributes:
      bounds: the least and the largest value of a pixel.
      num_classes: the number of classes, K.
      input_shape: (H, W, C) of one image.
      logits_source: how the logits were found, as a phrase for reports.
      differentiable: whether gradients flow from the logits to the images.
      gradient_source: what `gradient_logits` computes with, as a phrase for reports; see `accelerated`.
      exact_gradients: False if that is less precise than `logits`, so that a success has to be seen in `logits`.
      scores: False if only the predicted labels are known, and the logits are no more than those as one-hot rows.
    """

    bounds: tuple[float, float]
    num_classes: int
    input_shape: tuple[int, int, int]
    logits_source: str
    differentiable: bool
    _logits: Function
    _features: Function | None
    _parts: tuple[graphs.Graph, ...] = ()
    _gradient_logits: Function | None = None
    gradient_source: str = _ITSELF
    exact_gradients: bool = True
    scores: bool = True

    @classmethod
    def from_keras(
        cls,
        model: keras.Model,
        bounds: tuple[float, float] = (0.0, 1.0),
        *,
        outputs: Outputs | None = None,
        features_layer: str | None = None,
    ) -> Classifier:
        """Wraps a Keras model, which is neither changed nor copied: later training shows.

        A softmax at the end is cut off, since gradients through it vanish where it saturates.

        Args:
          model: takes (batch, H, W, C) images and gives (batch, K) logits or probabilities.
          bounds: the range of the pixels it takes; (0, 255) if it rescales them itself.
          outputs: "logits" or "probabilities" to say what it gives; None to find out.
          features_layer: the layer whose output `features` gives; None for the last convolution.

        Raises:
          UserError: it is not a classifier of images with one softmax or linear head.
        """
        bounds = validation.check_bounds(bounds)
        heads.check_declared(outputs)
        shape = heads.image_shape(model)
        head = heads.find_logits(model, validation.noise(shape, bounds), outputs)
        view = feature_views.find_features(model, shape, features_layer)
        classifier = cls(bounds, head.num_classes, shape, head.source, True, head.logits, view, head.parts)
        return dataclasses.replace(classifier, differentiable=classifier._has_gradient())

    @classmethod
    def from_callable(
        cls,
        fn: Callable[[tf.Tensor], Any],
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        bounds: tuple[float, float] = (0.0, 1.0),
        outputs: Outputs,
        features: Callable[[tf.Tensor], Any] | None = None,
        differentiable: bool = True,
    ) -> Classifier:
        """Wraps a function of TensorFlow operations, in inference mode.

        Args:
          fn: takes a float32 (batch, H, W, C) tensor and gives (batch, K).
          input_shape: (H, W, C).
          num_classes: K.
          bounds: the range of the pixels it takes.
          outputs: whether `fn` gives "logits" or "probabilities".
          features: takes the same images and gives (batch, h, w, c) or (batch, d) features.
          differentiable: False if no gradient flows through `fn`.

        Raises:
          UserError: the function does not do what the arguments say.
        """
        if outputs is None:
            raise expected('outputs="logits" or outputs="probabilities"', None, "Say what the function gives.")
        return cls._from_function(fn, input_shape, num_classes, bounds, outputs, features, differentiable)

    @classmethod
    def _from_function(
        cls,
        fn: Function,
        input_shape: Any,
        num_classes: int | None,
        bounds: Any,
        outputs: Outputs | None,
        features: Function | None = None,
        differentiable: bool = True,
    ) -> Classifier:
        """As `from_callable`, but finds out by trial which classes and outputs are None."""
        bounds, shape = validation.check_bounds(bounds), validation.check_input_shape(input_shape)
        heads.check_declared(outputs)
        head = heads.from_outputs(fn, validation.noise(shape, bounds), outputs, num_classes)
        classifier = cls(bounds, head.num_classes, shape, head.source, differentiable, head.logits, features)
        if differentiable and not classifier._has_gradient():
            raise expected(
                "a function through which gradients flow",
                "one without a gradient",
                "Pass differentiable=False, or use Classifier.from_predict for a NumPy function.",
            )
        return classifier

    @classmethod
    def from_predict(
        cls,
        fn: Callable[[np.ndarray], Any],
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        bounds: tuple[float, float] = (0.0, 1.0),
        outputs: Outputs | Literal["labels"],
    ) -> Classifier:
        """Wraps a black box: a function from NumPy images to NumPy scores or labels, without gradients.

        It is asked once, about a few noise images, to see that it fits the arguments, which are those of
        `from_callable`.

        Args:
          outputs: also "labels", if `fn` gives (n,) class numbers only; the logits are then 1 for that class and 0 for the rest.
        """
        if outputs == "labels":
            return cls._from_labels(fn, input_shape, num_classes, bounds)

        def ask(x: np.ndarray) -> np.ndarray:
            return np.asarray(fn(x), np.float32)

        return cls.from_callable(
            lambda x: tf.ensure_shape(tf.numpy_function(ask, [x], tf.float32), (None, num_classes)),
            input_shape=input_shape,
            num_classes=num_classes,
            bounds=bounds,
            outputs=outputs,
            differentiable=False,
        )

    @classmethod
    def _from_labels(
        cls, fn: Callable[[np.ndarray], Any], input_shape: Any, num_classes: Any, bounds: Any
    ) -> Classifier:
        """As `from_predict`, for a function that gives (n,) class numbers."""
        if not isinstance(num_classes, int) or num_classes < 2:
            raise expected('num_classes of at least 2 for outputs="labels"', num_classes, "Change num_classes=.")

        def one_hot(x: np.ndarray) -> np.ndarray:
            labels = validation.check_labels(fn(x), len(x), num_classes)
            return (labels[:, None] == np.arange(num_classes)).astype(np.float32)

        # Asked here as well, because TensorFlow hides what a NumPy function raises behind an error of its own.
        one_hot(validation.noise(validation.check_input_shape(input_shape), validation.check_bounds(bounds)))
        known = cls.from_predict(
            one_hot, input_shape=input_shape, num_classes=num_classes, bounds=bounds, outputs="logits"
        )
        return dataclasses.replace(known, scores=False, logits_source="predicted labels only, as one-hot rows")

    def logits(self, x: tf.Tensor) -> tf.Tensor:
        """The logits in inference mode: (batch, H, W, C) float32 to (batch, K) float32. Checks nothing."""
        return tf.cast(self._logits(tf.cast(x, tf.float32)), tf.float32)

    def gradient_logits(self, x: tf.Tensor) -> tf.Tensor:
        """The logits that gradients are taken of, shaped as `logits`, which they are unless `accelerated` made a copy."""
        function = self._gradient_logits or self._logits
        return tf.cast(function(tf.cast(x, tf.float32)), tf.float32)

    def accelerated(self, *, fold_batch_norm: bool = True, precision: Precision = "float32") -> Classifier:
        """The same classifier, with `gradient_logits` computed by a faster copy of the model where one can be made.

        The copy has the weights of now: later training shows in `logits` but not in it. A function, a SavedModel or a
        model whose layers cannot be seen has no copy, and neither has one whose copy does not give the same logits; then
        the model serves itself, as `gradient_source` says. Each call makes a new copy, for which attacks compile anew.

        Args:
          fold_batch_norm: whether batch norm becomes part of the layers before it, the same but for rounding.
          precision: "bfloat16" to compute in half precision, which is faster where the processor supports it; what an
            attack returns and its success are still those of `logits`. "float32" keeps the model's own precision.

        Raises:
          UserError: the precision is neither.
        """
        if precision not in ("float32", "bfloat16"):
            raise expected('"float32" or "bfloat16"', repr(precision), "Change the argument `precision`.")
        copy = None
        if self.differentiable:
            images = validation.noise(self.input_shape, self.bounds)
            copy = acceleration.copy_for_gradients(
                self._parts, self.logits, images, fold_batch_norm=fold_batch_norm, precision=precision
            )
        function, source, exact = copy or (None, _ITSELF, True)
        return dataclasses.replace(self, _gradient_logits=function, gradient_source=source, exact_gradients=exact)

    def features(self, x: tf.Tensor, pooled: bool = True) -> tf.Tensor:
        """What the model sees just before it decides.

        Args:
          x: (batch, H, W, C) float32 images.
          pooled: whether to average 4-D features over height and width.

        Returns:
          The output of the last convolution, or of the layer chosen when the classifier was made, or else
          the input of the head; float32, (batch, c) if pooled, else in the layer's own shape.

        Raises:
          UserError: the classifier was made without features.
        """
        if self._features is None:
            raise expected(
                "a classifier with features",
                "one whose layers cannot be seen",
                "Pass features= to Classifier.from_callable, or use a functional or Sequential Keras model.",
            )
        values = tf.cast(self._features(tf.cast(x, tf.float32)), tf.float32)
        return tf.reduce_mean(values, axis=(1, 2)) if pooled and values.shape.rank == 4 else values

    @functools.cached_property
    def compiled_logits(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """`logits` as one graph, traced once for every batch size."""
        return tf.function(self.logits, input_signature=[tf.TensorSpec((None, *self.input_shape), tf.float32)])

    def validate(self, images: Any, labels: Any = None) -> tuple[np.ndarray, Any]:
        """Checks images, and labels if given.

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
        """The logits of many images, (n, K) float32, computed in batches of one shape.

        Raises:
          UserError: the images are not valid.
        """
        return run_in_batches(self.compiled_logits, self.validate(images)[0], batch_size)

    def accuracy(self, images: Any, labels: Any, batch_size: int = 256) -> float:
        """The share of images whose largest logit is that of their label.

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

    def _has_gradient(self) -> bool:
        x = tf.constant(validation.noise(self.input_shape, self.bounds)[:1])
        with tf.GradientTape() as tape:
            tape.watch(x)
            try:
                total = tf.reduce_sum(self.logits(x))
                return tape.gradient(total, x) is not None
            except LookupError:  # an operation without a registered gradient
                return False

    def __repr__(self) -> str:
        gradients = "" if self.gradient_source == _ITSELF else f", gradient_source={self.gradient_source!r}"
        return (
            f"Classifier(input_shape={self.input_shape}, num_classes={self.num_classes}, bounds={self.bounds}, "
            f"logits_source={self.logits_source!r}, differentiable={self.differentiable}{gradients})"
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
