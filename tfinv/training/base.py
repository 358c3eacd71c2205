"""What every training model shares: the step of a classifier, its metrics, and the plain model it leaves."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfinv import models
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.training import replicas

Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_AUGMENTATION = 7  # its stream of draws, apart from those of the defences


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a defence is told of the training it shapes.

    Attributes:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      dataset: the training images.
      epochs: passes over them.
      batch_size: images a step.
      seed: of every draw in the training.
    """

    classifier: keras.Model
    dataset: Dataset
    epochs: int = 1
    batch_size: int = 128
    seed: int = 0

    @property
    def steps(self) -> int:
        """Training steps in all; what is left of an epoch is dropped, as `fit` does."""
        return self.epochs * (len(self.dataset) // min(self.batch_size, len(self.dataset)))


class ClassifierTraining(keras.Model):
    """Trains a classifier as usual, with cross-entropy; compile and fit as any Keras model.

    A defence overrides `objective`, and `prepare` for what must stay outside the gradient; one that moves the weights several times
    a step, `updates` and `follow`. Draws take their seed from `draw`, which depends on the step alone, so that a resumed training
    goes on with the draws of the unbroken one.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      steps: length of the training, for what changes along it; 0 if nothing does.
      seed: of the draws.
      measured: names of further metrics, which `objective` updates as `self.measured[name]`.

    Attributes:
      augmentation: from training images (batch, H, W, C) and a seed (2,) to the images that a step learns from; None for none.
      label_smoothing: share of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).
    """

    augmentation: Augmentation | None = None
    label_smoothing: float = 0.0

    def __init__(
        self, classifier: keras.Model, *, steps: int = 0, seed: int = 0, measured: tuple[str, ...] = (), **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.classifier, self.steps, self.seed = classifier, steps, seed
        self.loss_metric = keras.metrics.Mean("loss")
        self.measured = {name: keras.metrics.Mean(name) for name in measured}
        self.accuracy_metric = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    @property
    def metrics(self):
        """The loss, the defence's own metrics, accuracy."""
        return [self.loss_metric, *self.measured.values(), self.accuracy_metric]

    @property
    def trained_variables(self) -> list[Any]:
        """What the optimizer moves."""
        return self.classifier.trainable_variables

    @property
    def updates(self) -> int:
        """How often a step moves the weights, which is what a schedule of the learning rate counts."""
        return 1

    def compile(self, optimizer="adam", **kwargs):
        """As `keras.Model.compile`; the loss is the training model's own."""
        super().compile(optimizer=optimizer, **kwargs)
        self.optimizer.build(self.trained_variables)
        replicas.average_gradients(self.optimizer)
        replicas.share_statistics(self.layers)

    def call(self, inputs, training=None):
        """Logits of the classifier."""
        return self.classifier(inputs, training=training)

    def prepare(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """What `objective` takes beside the labels, made without recording gradients: here the images (batch, H, W, C)."""
        return (images,)

    def objective(self, labels: tf.Tensor, *inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The scalar to descend, and the logits (batch, classes) whose accuracy is shown."""
        logits = self.classifier(inputs[0], training=True)
        return self.classification(labels, logits), logits

    def classification(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The scalar cross-entropy to descend: of labels (batch,), smoothed by `label_smoothing`."""
        return cross_entropy(labels, logits, self.label_smoothing)

    def augmented(self, images: tf.Tensor) -> tf.Tensor:
        """The images (batch, H, W, C) to learn from in this step; an override of `train_step` begins with it, once."""
        return images if self.augmentation is None else self.augmentation(images, self.draw(_AUGMENTATION))

    def follow(self, inputs: tuple[tf.Tensor, ...], ascent: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """What comes after an update, where there are several a step.

        Args:
          inputs: what `objective` has taken, as `prepare` or `follow` gave it.
          ascent: the loss's gradient to the first of them, of its shape.

        Returns:
          What `objective` takes in the next update.
        """
        raise NotImplementedError

    def watched(self, inputs: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        """To what an update's gradient goes beside the weights: the first of the inputs where `follow` needs it, else nothing."""
        return list(inputs[:1]) if self.updates > 1 else []

    def train_step(self, data):
        """`updates` steps down the objective."""
        images, labels = data
        images = self.augmented(images)
        inputs = self.prepare(images, labels)
        for _ in range(self.updates):
            watched, variables = self.watched(inputs), self.trained_variables
            with tf.GradientTape() as tape:
                tape.watch(watched)
                loss, logits = self.objective(labels, *inputs)
            gradients, ascent = tape.gradient(loss, (variables, watched))
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            inputs = self.follow(inputs, *ascent) if watched else inputs
            logs = self.logs(loss, labels, logits)
        return logs

    def test_step(self, data):
        """Cross-entropy and accuracy of the classifier that will be exported."""
        images, labels = data
        logits = self.classifier(images, training=False)
        # Each example's, as the replica that takes the rest of an epoch may have none.
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))
        return self.logs(losses, labels, logits)

    def logs(self, loss, labels, logits) -> dict[str, Any]:
        """Updates loss and accuracy, and returns every metric."""
        self.loss_metric.update_state(loss)
        self.accuracy_metric.update_state(labels, logits)
        return {m.name: replicas.result(m) for m in self.metrics}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras can't take the batch of several replicas apart here, and there is nothing left to build.
        pass

    def draw(self, stream: int = 0) -> tf.Tensor:
        """(2,) seed of a stateless draw in this step; up to eight streams a step are apart."""
        return tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32) * 8 + stream])

    def progress(self) -> tf.Tensor:
        """The share of the training that is done, 0 to 1."""
        return tf.minimum(tf.cast(self.optimizer.iterations, tf.float32) / (max(self.steps, 1) * self.updates), 1.0)

    def export_classifier(self) -> keras.Model:
        """The trained classifier as a plain Keras model that loads without tfinv."""
        return self.classifier


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """The mean over the batch, in float32.

    Args:
      labels: (batch,).
      logits: (batch, classes).
      smoothing: alpha of `smoothed`.
    """
    logits = tf.cast(logits, tf.float32)
    if not smoothing:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    targets = smoothed(labels, logits.shape[-1], smoothing)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def smoothed(labels: tf.Tensor, classes: int, alpha: tf.Tensor | float) -> tf.Tensor:
    """(batch, classes) targets (1 - alpha) onehot(y) + alpha / classes, which sum to 1 (Szegedy et al. 2016, section 7).

    Args:
      labels: (batch,).
      classes: how many.
      alpha: the share that is spread evenly; below 0 as in Struppek et al. 2024, equation 2: at -.05 and ten classes the target is
        1.045 for the class and -.005 for each other.
    """
    return (1.0 - alpha) * tf.one_hot(labels, classes) + alpha / classes


def split_with_weights(
    classifier: keras.Model, defence: str, layer: str = models.ENCODING
) -> tuple[keras.Model, keras.Model]:
    """Encoder and head of a classifier whose encoder can learn.

    Raises:
      UserError: there is no such layer, or nothing before it has weights, so no gradient can change the encoding.
    """
    names = [found.name for found in classifier.layers]
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
