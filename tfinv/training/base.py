"""`ClassifierTraining`, the base of all training models: the training step, its metrics, and the classifier to export."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfinv import models
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training import replicas
from tfinv.training.networks import Adaptation
from tfinv.training.poisson import PoissonSampling
from tfinv.training.recognition import Bounds, check_form

Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_AUGMENTATION = 7  # the stream of its seeds, apart from those of the defences


@dataclasses.dataclass(frozen=True)
class Plan:
    """Inputs of a training that a defence builds on: network, data, length, and seed.

    Attributes:
      classifier: from images (batch, H, W, C) to logits. One that takes another range than [0, 1], or ends in a softmax or a
        sigmoid, is recognised by `Defence.training`.
      dataset: the training images.
      epochs: passes over them.
      batch_size: images per step.
      seed: of every random draw in the training.
      bounds: range of the images that the classifier takes; None to recognise it, or else to assume [0, 1].
    """

    classifier: keras.Model
    dataset: Dataset
    epochs: int = 1
    batch_size: int = 128
    seed: int = 0
    bounds: Bounds | None = None

    @property
    def steps(self) -> int:
        """Total number of training steps; the remainder of an epoch is dropped, as in `fit`."""
        return self.epochs * (len(self.dataset) // min(self.batch_size, len(self.dataset)))


class ClassifierTraining(keras.Model):
    """Trains a classifier with cross-entropy; compile and fit as any Keras model.

    A defence overrides `objective`, and `prepare` for computations outside the gradient; one that updates the weights several
    times per step overrides `updates` and `update_inputs`. Random draws take their seed from `step_seed`, which depends on the step
    alone, so a resumed training draws as an uninterrupted one does.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      steps: length of the training, for schedules of the defence; 0 if it has none.
      seed: of the random draws.
      extra_metrics: names of metrics that `objective` updates as `self.extra_metrics[name]`.

    Raises:
      UserError: the classifier scales its images inside, or ends in a softmax or a sigmoid; `Defence.training` takes it.

    Attributes:
      augmentation: from training images (batch, H, W, C) and a seed (2,) to augmented images; None for none.
      label_smoothing: fraction of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).
      sampling: of the batches; None for shuffled ones.
      adaptation: of a network that doesn't take images in [0, 1] or doesn't give logits; None for one that does.
    """

    augmentation: Augmentation | None = None
    sampling: PoissonSampling | None = None
    adaptation: Adaptation | None = None
    exports_logits = True
    label_smoothing: float = 0.0

    def __init__(
        self,
        classifier: keras.Model,
        *,
        steps: int = 0,
        seed: int = 0,
        extra_metrics: tuple[str, ...] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_form(classifier)
        self.classifier, self.steps, self.seed = classifier, steps, seed
        self.loss_metric = keras.metrics.Mean("loss")
        self.extra_metrics = {name: keras.metrics.Mean(name) for name in extra_metrics}
        self.accuracy_metric = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    @property
    def metrics(self):
        """Loss, extra metrics of the defence, accuracy."""
        return [self.loss_metric, *self.extra_metrics.values(), self.accuracy_metric]

    @property
    def trained_variables(self) -> list[Any]:
        """Variables that the optimizer updates."""
        return self.classifier.trainable_variables

    @property
    def updates(self) -> int:
        """Updates of the weights per step; a schedule of the learning rate counts updates."""
        return 1

    def compile(self, optimizer="adam", **kwargs):
        """Compiles as `keras.Model.compile`; the loss is that of the training model."""
        super().compile(optimizer=optimizer, **kwargs)
        self.optimizer.build(self.trained_variables)
        replicas.average_gradients(self.optimizer)
        replicas.share_statistics(self.layers)

    def call(self, inputs, training=None):
        """Returns the logits of the classifier."""
        return self.classifier(inputs, training=training)

    def prepare(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Computes the inputs of `objective`, without recording gradients: here the images (batch, H, W, C)."""
        return (images,)

    def objective(self, labels: tf.Tensor, *inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scalar loss to minimise, and the logits (batch, classes) for the accuracy."""
        logits = self.classifier(inputs[0], training=True)
        return self.classification(labels, logits), logits

    def classification(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns the scalar cross-entropy with labels (batch,), smoothed by `label_smoothing`."""
        return cross_entropy(labels, logits, self.label_smoothing)

    def augment(self, images: tf.Tensor) -> tf.Tensor:
        """Augments the images (batch, H, W, C) of this step; an override of `train_step` calls it first, once."""
        return images if self.augmentation is None else self.augmentation(images, self.step_seed(_AUGMENTATION))

    def update_inputs(self, inputs: tuple[tf.Tensor, ...], gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Computes the inputs of the next update, where a step has several.

        Args:
          inputs: of `objective` in the last update, as returned by `prepare` or `update_inputs`.
          gradient: of the loss with respect to the first input, of its shape.

        Returns:
          The inputs of `objective` in the next update.
        """
        raise NotImplementedError

    def watched_inputs(self, inputs: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        """Returns the inputs that need a gradient: the first one if a step has several updates, else none."""
        return list(inputs[:1]) if self.updates > 1 else []

    def train_step(self, data):
        """Makes `updates` updates of the weights."""
        images, labels = data
        images = self.augment(images)
        inputs = self.prepare(images, labels)
        for _ in range(self.updates):
            watched, variables = self.watched_inputs(inputs), self.trained_variables
            with tf.GradientTape() as tape:
                tape.watch(watched)
                loss, logits = self.objective(labels, *inputs)
            gradients, input_gradients = tape.gradient(loss, (variables, watched))
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            inputs = self.update_inputs(inputs, *input_gradients) if watched else inputs
            logs = self.logs(loss, labels, logits)
        return logs

    def test_step(self, data):
        """Measures cross-entropy and accuracy of the classifier."""
        images, labels = data
        logits = self.classifier(images, training=False)
        # Per example, as the replica with the remainder of an epoch may have none.
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))
        return self.logs(losses, labels, logits)

    def logs(self, loss, labels, logits, weights=None) -> dict[str, Any]:
        """Updates loss and accuracy, with the weights (batch,) of a padded batch, and returns every metric."""
        self.loss_metric.update_state(loss, sample_weight=weights)
        self.accuracy_metric.update_state(labels, logits, sample_weight=weights)
        return {m.name: replicas.result(m) for m in self.metrics}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras can't split the batch of several replicas here, and everything is built already.
        pass

    def step_seed(self, stream: int = 0) -> tf.Tensor:
        """Returns the seed (2,) of a stateless draw in this step; up to eight streams per step differ."""
        return tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32) * 8 + stream])

    def progress(self) -> tf.Tensor:
        """Returns the fraction of the training that is done, 0 to 1."""
        return tf.minimum(tf.cast(self.optimizer.iterations, tf.float32) / (max(self.steps, 1) * self.updates), 1.0)

    def trained_classifier(self) -> keras.Model:
        """Returns the trained classifier, from images in [0, 1]."""
        return self.classifier

    def export_classifier(self) -> keras.Model:
        """Returns the trained classifier as a plain Keras model that loads without tfinv, in the form of the plan's."""
        classifier = self.trained_classifier()
        if self.adaptation is None:
            return classifier
        return self.adaptation.restore(classifier, are_logits=self.exports_logits)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Returns the mean cross-entropy of the batch, in float32.

    Args:
      labels: (batch,).
      logits: (batch, classes).
      smoothing: alpha of `smooth_labels`.
    """
    logits = tf.cast(logits, tf.float32)
    if not smoothing:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    targets = smooth_labels(labels, logits.shape[-1], smoothing)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def smooth_labels(labels: tf.Tensor, classes: int, alpha: tf.Tensor | float) -> tf.Tensor:
    """Returns (batch, classes) targets (1 - alpha) onehot(y) + alpha / classes, which sum to 1 (Szegedy et al. 2016, section 7).

    Args:
      labels: (batch,).
      classes: number of classes.
      alpha: the fraction that is spread evenly; below 0 as in Struppek et al. 2024, equation 2: at -.05 and ten classes the target
        is 1.045 for the class and -.005 for each other.
    """
    return (1.0 - alpha) * tf.one_hot(labels, classes) + alpha / classes


def split_with_weights(
    classifier: keras.Model, defence: str, layer: str = models.ENCODING
) -> tuple[keras.Model, keras.Model]:
    """Splits a classifier into its encoder, which must have weights, and its head.

    Raises:
      UserError: there is no such layer, or no weights before it, so no gradient can change the encoding.
    """
    names = [candidate.name for candidate in classifier.layers]
    if layer not in names:
        raise expected(
            f"a network with a layer named {layer!r} for {defence!r}",
            ", ".join(names),
            "Change --architecture, or `layer` of the defense.",
        )
    encoder, head = models.split(classifier, layer)
    if not encoder.trainable_weights:
        raise expected(
            f"an encoder with weights for {defence!r}",
            f"{classifier.name}, whose encoding is the image itself",
            "Change --architecture." if layer == models.ENCODING else "Change `layer` of the defense.",
        )
    return encoder, head
