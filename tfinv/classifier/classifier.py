"""`Classifier`: a wrapper around any kind of image classifier, a function from bounded images to logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tfinv.catalogue import GRADIENTS
from tfinv.classifier import features as feature_views
from tfinv.classifier import graphs, heads, quantisation, validation
from tfinv.classifier.acceleration import copy as acceleration
from tfinv.classifier.gradients import has_input_gradient
from tfinv.classifier.graphs import Function
from tfinv.classifier.inputs.adapting import adapt
from tfinv.classifier.inputs.front import Front, Wishes
from tfinv.classifier.outputs import Head, as_rows, check_declared, sample_outputs
from tfinv.classifier.prediction import ITSELF, Predictor
from tfinv.errors import expected

Outputs = Literal["logits", "probabilities"]
Precision = Literal["float32", "bfloat16"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Classifier(Predictor):
    """An image classifier. Immutable; create one with `from_keras`, `from_callable` or `from_predict`.

    Attributes and predictions are described in `Predictor`.
    """

    _parts: tuple[graphs.Graph, ...] = ()

    @property
    def parts(self) -> tuple[graphs.Graph, ...]:
        """The Keras graphs from images to logits, each applied to the output of the one before; empty if they cannot be traced."""
        return self._parts

    @classmethod
    def from_keras(
        cls,
        model: keras.Model,
        bounds: tuple[float, float] | None = None,
        *,
        outputs: Outputs | None = None,
        output: str | int | None = None,
        threshold: float | None = None,
        features_layer: str | None = None,
        image_size: tuple[int, int] | None = None,
        preprocessing: Any = None,
        channels: str = "rgb",
        class_names: Sequence[str] | None = None,
    ) -> Classifier:
        """Wraps a Keras model. The model is neither changed nor copied, so later training takes effect.

        A softmax or sigmoid at the end is removed, since gradients through it vanish where it saturates. A model of one unit
        has the logits (0, z). An input of another form than (batch, H, W, C) floats is made out of such. `notes` says it all.

        Args:
          model: from images to logits or probabilities, (batch, K), or (batch, 1) for two classes.
          bounds: the range of its input pixels; (0, 255) if it rescales them itself. None for (0, 1), or (0, 255) for a model of
            whole numbers.
          outputs: "logits" or "probabilities"; None to detect which.
          output: name or place of the output that classifies, of a model with several.
          threshold: probability of class 1 from which a model of one unit says 1; None for .5.
          features_layer: the layer whose output `features` returns; None for the last map, see `tfinv.classifier.features`.
          image_size: (H, W) of the images, for a model that takes any.
          preprocessing: of the images, in front of the model: a function of keras.ops from (batch, H, W, C) to the same, or a
            `tfinv.importing.preprocessing.Preprocessing`.
          channels: "bgr" if the model takes the channels in this order.
          class_names: names of the classes in the order of the outputs.

        Raises:
          UserError: the model is not an image classifier, or an argument does not fit it.
        """
        check_declared(outputs)
        adapted = adapt(model, bounds, output, Wishes(image_size, channels, preprocessing))
        images = validation.noise(adapted.shape, adapted.bounds)
        view = None
        if isinstance(adapted.model, keras.Layer):
            head = heads.find_logits(adapted.model, images, outputs, threshold)
            view = feature_views.find_features(adapted.model, adapted.shape, features_layer)
        elif features_layer is not None:
            raise expected("a model that runs as a graph of layers", adapted.notes[-1], "Leave out --features_layer.")
        else:
            head = heads.from_function(adapted.model, images, outputs, threshold=threshold)
        classifier = cls._from_head(head, adapted.bounds, adapted.shape, adapted.notes, view)
        names = None if class_names is None else validation.check_class_names(class_names, head.num_classes)
        source = quantisation.gradient_source(model)
        classifier = dataclasses.replace(classifier, gradient_source=source, class_names=names)
        return dataclasses.replace(classifier, differentiable=classifier._has_gradient())

    @classmethod
    def _from_head(
        cls,
        head: Head,
        bounds: validation.Bounds,
        shape: validation.Shape,
        notes: tuple[str, ...],
        view: Function | None,
    ) -> Classifier:
        facts = (bounds, head.num_classes, shape, head.source, True, head.logits, view)
        return cls(*facts, notes=(*notes, *head.notes), _parts=head.parts)

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
          fn: from a float32 (batch, H, W, C) tensor to (batch, K) outputs.
          input_shape: (H, W, C).
          num_classes: K.
          bounds: the range of its input pixels.
          outputs: whether `fn` returns "logits" or "probabilities".
          features: from the same images to (batch, h, w, c) or (batch, d) features.
          differentiable: False if no gradient flows through `fn`.

        Raises:
          UserError: the function does not match the arguments.
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
        """Wraps a function as `from_callable` does, and detects `num_classes` and `outputs` where they are None."""
        shape = validation.check_input_shape(input_shape)
        classifier = cls._from_front(fn, Front(shape), bounds, outputs=outputs, num_classes=num_classes)
        if differentiable and not classifier._has_gradient():
            raise expected(
                "a function through which gradients flow",
                "one without a gradient",
                "Pass differentiable=False, or use Classifier.from_predict for a NumPy function.",
            )
        return dataclasses.replace(classifier, differentiable=differentiable, _features=features)

    @classmethod
    def _from_front(
        cls,
        fn: Function,
        front: Front,
        bounds: Any,
        *,
        outputs: Outputs | None = None,
        output: str | int | None = None,
        threshold: float | None = None,
        num_classes: int | None = None,
    ) -> Classifier:
        """Wraps a function behind operations that turn images into its input; whether it has a gradient is not yet known.

        Args:
          fn: from what the front gives to scores, or a structure of several outputs.
          front: from float32 images to the input of `fn`.
          bounds: the range of the pixels.
          outputs: as in `from_keras`, like `output` and `threshold`.
          output: see there.
          threshold: see there.
          num_classes: K; None for as many as there are scores.

        Raises:
          UserError: the function does not match the arguments.
        """
        bounds = validation.check_bounds(bounds)
        check_declared(outputs)
        head = heads.from_function(
            (lambda x: fn(front(x))) if front.steps else fn,
            validation.noise(front.shape, bounds),
            outputs,
            output=output,
            threshold=threshold,
            num_classes=num_classes,
        )
        return cls._from_head(head, bounds, front.shape, front.notes, None)

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

        The function is called on a few noise images, to check it against the arguments, which are as in
        `from_callable`. If it calls TensorFlow itself, TensorFlow must not be limited to one thread between operations
        (TF_NUM_INTEROP_THREADS=1), or it deadlocks.

        Args:
          outputs: also "labels", if `fn` returns only (n,) class numbers; the logits are then one-hot rows.
        """
        if outputs == "labels":
            return cls._from_labels(fn, input_shape, num_classes, bounds)

        def call(x: np.ndarray) -> np.ndarray:
            return np.asarray(as_rows(np.asarray(fn(x), np.float32)))

        # Called here as well, to see whether there is one column for two classes.
        images = validation.noise(validation.check_input_shape(input_shape), validation.check_bounds(bounds))
        columns = sample_outputs(lambda x: call(np.asarray(x)), images).shape[1]
        return cls.from_callable(
            lambda x: tf.ensure_shape(tf.numpy_function(call, [x], tf.float32), (None, columns)),
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
        """Wraps a function as `from_predict` does, for one that returns (n,) class numbers."""
        if not isinstance(num_classes, int) or num_classes < 2:
            raise expected('num_classes of at least 2 for outputs="labels"', num_classes, "Change num_classes=.")

        def one_hot(x: np.ndarray) -> np.ndarray:
            labels = validation.check_labels(fn(x), len(x), num_classes)
            return (labels[:, None] == np.arange(num_classes)).astype(np.float32)

        # Called here as well, because TensorFlow hides the exceptions of a NumPy function behind an error of its own.
        one_hot(validation.noise(validation.check_input_shape(input_shape), validation.check_bounds(bounds)))
        classifier = cls.from_predict(
            one_hot, input_shape=input_shape, num_classes=num_classes, bounds=bounds, outputs="logits"
        )
        return dataclasses.replace(classifier, scores=False, logits_source="predicted labels only, as one-hot rows")

    def accelerated(self, *, fold_batch_norm: bool = True, precision: Precision = "float32") -> Classifier:
        """Returns the same classifier, with `gradient_logits` computed by a faster copy of the model where possible.

        The copy has the current weights: later training changes `logits`, but not the copy. There is no copy of a function,
        of a SavedModel, of a model whose layers cannot be traced, or where the copy's logits differ. Then `gradient_logits`
        uses the model itself, and `gradient_source` says so. Each call creates a new copy, for which attacks compile anew.

        Args:
          fold_batch_norm: whether to fold batch norm into the preceding layers, which is exact up to rounding.
          precision: "bfloat16" to compute in half precision, which is faster where the processor supports it; attacks still
            decide about success by `logits`. "float32" keeps the model's own precision.

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
        source = quantisation.of_copy(source, self.gradient_source)
        return dataclasses.replace(self, _gradient_logits=function, gradient_source=source, exact_gradients=exact)

    def with_gradients(self, gradients: str) -> Classifier:
        """Returns the same classifier with gradients of one of `GRADIENTS`: its own ("plain"), or those of `accelerated`.

        Raises:
          UserError: the name is unknown.
        """
        if gradients not in GRADIENTS:
            raise expected(f"gradients among {', '.join(GRADIENTS)}", repr(gradients), "Change --gradients.")
        if gradients == "plain":
            return self
        return self.accelerated(precision="bfloat16" if gradients == "bfloat16" else "float32")

    def _has_gradient(self) -> bool:
        return has_input_gradient(self.logits, self.input_shape)
