"""The training model of the destruction defence: a classifier and a decoder behind a gradient reversal."""

from functools import partial

import keras
import numpy as np
import tensorflow as tf

from tfinv import models
from tfinv.errors import expected
from tfinv.layers import DannRamp, GradientReversal
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, split_with_weights
from tfinv.training.reversal_bounds import BOUNDS, check_bound, error_levels

EXPERIMENTS = ("positive", "reversal", "shuffled")


class DestructionTraining(ClassifierTraining):
    """Trains a classifier in one of the poster's experiments, see `tfinv.training.destruction`; compile and fit as any Keras model.

    With an inner training, its objective replaces the cross-entropy. The decoder still reconstructs the clean images: the encoder
    sees them in an additional pass with training=True, the first of each update.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      experiment: one of `EXPERIMENTS`.
      images: (n, H, W, C) training images, for the error levels of the bound.
      labels: (n,) their classes.
      strength: lambda, the factor of the reversed gradient.
      weight: w, of the reconstruction loss.
      bound: one of `reversal_bounds.BOUNDS`.
      ramp_steps: updates of the encoder over which lambda rises as in DANN; 0 for none.
      decoder_steps: decoder updates for each update of the encoder.
      layer: the encoder's last layer.
      seed: of the shuffled targets.
      inner: another training of the same classifier, whose `objective` is added to the reconstruction loss; None is plain
        cross-entropy.

    Raises:
      UserError: unknown experiment, bound or layer, or an encoder without weights, which no gradient can change.
    """

    def __init__(
        self,
        classifier: keras.Model,
        experiment: str,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        strength: float = 10.0,
        weight: float = 1.0,
        bound: str = "class_mean",
        ramp_steps: int = 0,
        decoder_steps: int = 2,
        layer: str = models.ENCODING,
        seed: int = 0,
        inner: ClassifierTraining | None = None,
    ):
        super().__init__(classifier, seed=seed, extra_metrics=("reconstruction_loss",), name=experiment)
        self.inner = inner
        if experiment not in EXPERIMENTS:
            raise expected(
                f"an experiment among {', '.join(EXPERIMENTS)}", repr(experiment), "Change the argument `experiment`."
            )
        check_bound(bound)
        self.experiment = experiment
        split = models.split if experiment == "positive" else partial(split_with_weights, defence=experiment)
        self.encoder, self.head = split(classifier, layer=layer)
        self.weight, self.bound, self.decoder_steps = weight, bound, decoder_steps
        self.mean_error, self.class_levels = error_levels(images, labels)
        self.decoder = models.decoder(self.encoder.output_shape[1:], classifier.input_shape[1:])
        self.reversal = GradientReversal(DannRamp(ramp_steps, strength) if ramp_steps else strength)

    @property
    def metrics(self):
        """Metrics of every training model, and the extra ones of the inner training."""
        return [*super().metrics, *(self.inner.extra_metrics.values() if self.inner else ())]

    @property
    def trained_variables(self):
        """Variables of the inner training, or of the classifier without one."""
        return self.inner.trained_variables if self.inner else super().trained_variables

    @property
    def updates(self):
        """Updates per step of the inner training; 1 without one."""
        return self.inner.updates if self.inner else super().updates

    def update_inputs(self, inputs, gradient):
        """Delegates to the inner training."""
        return self.inner.update_inputs(inputs, gradient) if self.inner else super().update_inputs(inputs, gradient)

    def compile(self, optimizer="adam", decoder_optimizer="adam", **kwargs):
        """Compiles as `keras.Model.compile`; the decoder is the adversary and has a separate optimizer."""
        super().compile(optimizer=optimizer, **kwargs)
        if self.inner:
            self.inner.optimizer = self.optimizer  # its iterations set the seeds and the ramp
        self.decoder_optimizer = keras.optimizers.get(decoder_optimizer)
        self.decoder_optimizer.build(self.decoder.trainable_variables)
        replicas.average_gradients(self.decoder_optimizer)

    def reconstruct(self, images):
        """Returns the decoder's reconstructions of images, (batch, H, W, C) in [0, 1]."""
        return self.decoder(self.encoder(images, training=False), training=False)

    def relative_errors(self, reconstruction, targets) -> tf.Tensor:
        """Returns each example's squared error divided by that of the mean image, (batch,)."""
        axes = list(range(1, len(targets.shape)))
        squared = tf.square(tf.cast(reconstruction, tf.float32) - tf.cast(targets, tf.float32))
        return tf.reduce_mean(squared, axis=axes) / self.mean_error

    def train_step(self, data):
        """Makes `updates` updates of the classifier, and for each of them `decoder_steps` of the decoder."""
        images, labels = data
        images = self.augment(images)
        targets, is_self = self._targets(images)
        inputs = self.inner.prepare(images, labels) if self.inner else ()
        for _ in range(self.updates):
            for _ in range(self.decoder_steps - 1):
                self._decoder_step(images, targets)
            watched = self.watched_inputs(inputs)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(watched)
                encoding = self.encoder(images, training=True)
                classification, logits = self._classify(labels, encoding, inputs)
                with tape.stop_recording():
                    scales = self._scales(encoding, targets, labels, is_self)
                reconstruction = self.decoder(self.reversal(encoding, scale=scales, training=True), training=True)
                errors = self.relative_errors(reconstruction, targets)
                loss = classification + self.weight * tf.reduce_mean(errors)
            variables = self.trained_variables
            gradients, input_gradients = tape.gradient(loss, (variables, watched))
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            variables = self.decoder.trainable_variables
            self.decoder_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            del tape
            inputs = self.update_inputs(inputs, *input_gradients) if watched else inputs
            self.extra_metrics["reconstruction_loss"].update_state(errors)
            logs = self.logs(classification, labels, logits)
        return logs

    def test_step(self, data):
        """Measures classification loss, accuracy, and the error of reconstructing the image itself."""
        images, _ = data
        self.extra_metrics["reconstruction_loss"].update_state(self.relative_errors(self.reconstruct(images), images))
        return super().test_step(data)

    def _classify(self, labels, encoding, inputs):
        """Returns the classification loss and the logits (batch, classes), from the encoding or the inner training's inputs."""
        if not self.inner:
            logits = self.head(encoding, training=True)
            return self.classification(labels, logits), logits
        self.inner.label_smoothing = self.label_smoothing
        return self.inner.objective(labels, *inputs)

    def _decoder_step(self, images, targets):
        """Makes one update of the decoder alone."""
        encoding = self.encoder(images, training=False)
        with tf.GradientTape() as tape:
            errors = self.relative_errors(self.decoder(encoding, training=True), targets)
            loss = tf.reduce_mean(errors)
        variables = self.decoder.trainable_variables
        self.decoder_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def _targets(self, images):
        """Returns the targets (batch, H, W, C), and whether each is the example's own image (batch,)."""
        if self.experiment != "shuffled":
            return images, tf.fill(tf.shape(images)[:1], self.experiment == "positive")
        step = tf.cast(self.optimizer.iterations, tf.int32)
        images = replicas.gather(images)
        batch = tf.shape(images)[0]
        order = tf.argsort(tf.random.stateless_uniform([batch], seed=[self.seed, step]))
        # A rotation within a random half gives each of its members the image of another member.
        half = order[: batch // 2]
        targets = tf.tensor_scatter_nd_update(images, half[:, None], tf.gather(images, tf.roll(half, shift=1, axis=0)))
        is_self = tf.tensor_scatter_nd_update(tf.ones([batch], tf.bool), half[:, None], tf.zeros_like(half) > 0)
        return replicas.local_rows(targets), replicas.local_rows(is_self)

    def _scales(self, encoding, targets, labels, is_self):
        """Returns the reversal's scale of each example, (batch,); -1 passes the gradient on unchanged."""
        errors = self.relative_errors(self.decoder(encoding, training=False), targets)
        pressure = BOUNDS[self.bound](errors, tf.gather(self.class_levels, labels))
        return tf.where(is_self, -1.0, self.reversal.scale.value * pressure)
