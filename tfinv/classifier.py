"""Any image classifier, seen as a function from bounded images to logits: how each kind of model becomes one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfinv import acceleration, graphs, heads, validation
from tfinv import features as feature_views
from tfinv.errors import expected
from tfinv.graphs import Function
from tfinv.prediction import ITSELF, Predictor

Outputs = Literal["logits", "probabilities"]
Precision = Literal["float32", "bfloat16"]
# What may compute them: the model, a copy with batch norm folded in, or that copy in half precision.
GRADIENTS = ("plain", "folded", "bfloat16")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Classifier(Predictor):
    """A classifier of images, with what an attack needs to know of it. Immutable; make one with `from_...`.

    Its attributes, and what it predicts, are those of `Predictor`.
    """

    _parts: tuple[graphs.Graph, ...] = ()

    @property
    def parts(self) -> tuple[graphs.Graph, ...]:
        """The Keras graphs from images to logits, each applied to the output of the one before; none if they can't be seen."""
        return self._parts

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
          features_layer: the layer whose output `features` gives; None for the last map, see `tfinv.features`.

        Raises:
          UserError: it is not a classifier of images with one softmax or linear head.
        """
        bounds = validation.check_bounds(bounds)
        heads.check_declared(outputs)
        shape = heads.image_shape(model)
        head = heads.find_logits(model, validation.noise(shape, bounds), outputs)
        view = feature_views.find_features(model, shape, features_layer)
        classifier = cls(bounds, head.num_classes, shape, head.source, True, head.logits, view, _parts=head.parts)
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
        `from_callable`. If it calls TensorFlow itself, TensorFlow must not be limited to one thread between operations
        (TF_NUM_INTEROP_THREADS=1), or it waits for itself.

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
        function, source, exact = copy or (None, ITSELF, True)
        return dataclasses.replace(self, _gradient_logits=function, gradient_source=source, exact_gradients=exact)

    def with_gradients(self, how: str) -> Classifier:
        """The same classifier, with gradients of one of `GRADIENTS`: its own ("plain"), or of `accelerated`.

        Raises:
          UserError: there is no such way.
        """
        if how not in GRADIENTS:
            raise expected(f"gradients among {', '.join(GRADIENTS)}", repr(how), "Change --gradients.")
        if how == "plain":
            return self
        return self.accelerated(precision="bfloat16" if how == "bfloat16" else "float32")

    def _has_gradient(self) -> bool:
        x = tf.constant(validation.noise(self.input_shape, self.bounds)[:1])
        with tf.GradientTape() as tape:
            tape.watch(x)
            try:
                total = tf.reduce_sum(self.logits(x))
                return tape.gradient(total, x) is not None
            except LookupError:  # an operation without a registered gradient
                return False
