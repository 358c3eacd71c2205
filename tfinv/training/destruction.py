"""The destruction defence: a classifier with an auxiliary autoencoder behind a gradient reversal (the poster).

With encoder E, head C, decoder D and the reversal R:

    z = E(x),  L = CE(C(z), y) + w * mean_i e_i,  e_i = |D(R(z_i)) - t_i|^2 / V,  V = mean |x - mean image|^2

so that e = 1 is the error of a decoder that knows nothing but the mean image. The decoder descends L. The encoder descends
the cross-entropy and follows the reconstruction gradient times s_i: +1 on its own image in `positive`, -pressure_i in
`reversal`, and in `shuffled` +1 where the target is the example's own image and -pressure_i where it is another's.

Why a pressure: the reversed loss has no lower bound, and pushed by a constant the encoder leaves classification behind. See
`BOUNDS` for the ways to bound it; docs/results/bounds.md has what each does.
"""

import dataclasses
import math
import pathlib
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfinv import models
from tfinv.errors import expected
from tfinv.layers import DannRamp, GradientReversal
from tfinv.training import replicas
from tfinv.training.base import ClassifierTraining, Plan, split_with_weights
from tfinv.training.defence import Defence, check_range
from tfinv.training.images import ReconstructionImages

EXPERIMENTS = ("positive", "reversal", "shuffled")

# Pressure on one example, from its error e and the bound's level c, both relative to the mean image's error.
BOUNDS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "none": lambda e, c: tf.ones_like(e),
    # Fades out as the decoder comes to know no more than the mean image.
    "mean": lambda e, c: tf.clip_by_value(1.0 - e, 0.0, 1.0),
    # The same with the class's mean image, which a right classification gives away in any case.
    "class_mean": lambda e, c: tf.clip_by_value(1.0 - e / c, 0.0, 1.0),
    # The gradient of the bounded loss 2 e / (1 + e) in place of e's.
    "normalised": lambda e, c: 2.0 / tf.square(1.0 + e),
}


@dataclasses.dataclass(frozen=True)
class Positive(Defence):
    """The poster's control: an autoencoder whose gradient the encoder follows.

    Attributes:
      weight: w, the reconstruction's share of the loss.
      decoder_steps: how often the decoder learns for each step of the encoder.
      layer: where the encoder ends: a layer's name, such as the "stage2" of `cnn`.
    """

    NAME: ClassVar[str] = "positive"
    weight: float = 1.0
    decoder_steps: int = 2
    layer: str = models.ENCODING

    def __post_init__(self):
        check_range(self, 0.0, math.inf, "weight")
        check_range(self, 1, math.inf, "decoder_steps")

    def training(self, plan: Plan, inner: ClassifierTraining | None = None) -> "DestructionTraining":
        """See `DestructionTraining`."""
        fields = dataclasses.asdict(self)
        ramp = round(fields.pop("ramp", 0.0) * plan.steps * (inner.updates if inner else 1))
        dataset = plan.dataset
        return DestructionTraining(
            plan.classifier,
            self.NAME,
            dataset.images,
            dataset.labels,
            ramp_steps=ramp,
            seed=plan.seed,
            inner=inner,
            **fields,
        )

    def callbacks(self, images, logdir):
        """The decoder's view of the images, in TensorBoard."""
        return (ReconstructionImages(images, pathlib.Path(logdir)),)


@dataclasses.dataclass(frozen=True)
class Reversal(Positive):
    """The destruction defence of the poster's inversion experiments: the encoder takes the reversed gradient.

    Attributes:
      strength: lambda, the factor of the reversed gradient.
      bound: one of `BOUNDS`.
      ramp: share of the training over which lambda rises as in DANN; 0 for none.
    """

    NAME: ClassVar[str] = "reversal"
    strength: float = 10.0
    bound: str = "class_mean"
    ramp: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        check_range(self, 0.0, math.inf, "strength")
        check_range(self, 0.0, 1.0, "ramp")
        check_bound(self.bound)


@dataclasses.dataclass(frozen=True)
class Shuffled(Reversal):
    """The destruction defence of the poster's Table 1: reversed where the target is another's image."""

    NAME: ClassVar[str] = "shuffled"


def check_bound(bound: str) -> None:
    """Refuses a name that is not in `BOUNDS`.

    Raises:
      UserError: it is not.
    """
    if bound not in BOUNDS:
        raise expected(f"a bound among {', '.join(BOUNDS)}", repr(bound), "Change --bound.")


class DestructionTraining(ClassifierTraining):
    """Trains a classifier in one of the poster's experiments; compile and fit as any Keras model.

    With an inner training, its objective stands in the place of the cross-entropy, and the reconstruction is of the clean images
    all the same: the encoder sees those in one more pass with training=True, the first of each update.

    Args:
      classifier: from images in [0, 1] (batch, H, W, C) to logits.
      experiment: one of `EXPERIMENTS`.
      images: (n, H, W, C) training images, for the error levels of the bound.
      labels: (n,) their classes.
      strength: lambda, the factor of the reversed gradient.
      weight: w, the reconstruction's share of the loss.
      bound: one of `BOUNDS`.
      ramp_steps: updates of the encoder over which lambda rises as in DANN; 0 for none.
      decoder_steps: how often the decoder learns for each update of the encoder.
      layer: the encoder's last layer.
      seed: of the shuffled targets.
      inner: another training of the same classifier, whose `prepare` and `objective` give what is descended beside the
        reconstruction; None is plain cross-entropy.

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
        super().__init__(classifier, seed=seed, measured=("reconstruction_loss",), name=experiment)
        self.inner = inner
        if experiment not in EXPERIMENTS:
            raise expected(
                f"an experiment among {', '.join(EXPERIMENTS)}", repr(experiment), "Change the argument `experiment`."
            )
        check_bound(bound)
        self.experiment = experiment
        cut = models.split if experiment == "positive" else partial(split_with_weights, defence=experiment)
        self.encoder, self.head = cut(classifier, layer=layer)
        self.weight, self.bound, self.decoder_steps = weight, bound, decoder_steps
        self.mean_error, self.class_levels = error_levels(images, labels)
        self.decoder = models.decoder(self.encoder.output_shape[1:], classifier.input_shape[1:])
        self.reversal = GradientReversal(DannRamp(ramp_steps, strength) if ramp_steps else strength)

    @property
    def metrics(self):
        """Those of every training model, and the inner one's own."""
        return [*super().metrics, *(self.inner.measured.values() if self.inner else ())]

    @property
    def trained_variables(self):
        """Those of the classifier, or what the inner training moves."""
        return self.inner.trained_variables if self.inner else super().trained_variables

    @property
    def updates(self):
        """Those of the inner training."""
        return self.inner.updates if self.inner else super().updates

    def follow(self, inputs, ascent):
        """The inner training's."""
        return self.inner.follow(inputs, ascent) if self.inner else super().follow(inputs, ascent)

    def compile(self, optimizer="adam", decoder_optimizer="adam", **kwargs):
        """As `keras.Model.compile`; the decoder has an optimizer of its own, since it is the adversary."""
        super().compile(optimizer=optimizer, **kwargs)
        if self.inner:
            self.inner.optimizer = self.optimizer  # whose iterations its draws and its ramp follow
        self.decoder_optimizer = keras.optimizers.get(decoder_optimizer)
        self.decoder_optimizer.build(self.decoder.trainable_variables)
        replicas.average_gradients(self.decoder_optimizer)

    def reconstruct(self, images):
        """The decoder's view of the images, (batch, H, W, C) in [0, 1]."""
        return self.decoder(self.encoder(images, training=False), training=False)

    def relative_errors(self, reconstruction, targets) -> tf.Tensor:
        """Squared error of each example over that of the mean image, (batch,)."""
        axes = list(range(1, len(targets.shape)))
        squared = tf.square(tf.cast(reconstruction, tf.float32) - tf.cast(targets, tf.float32))
        return tf.reduce_mean(squared, axis=axes) / self.mean_error

    def train_step(self, data):
        """`updates` of the classifier, and for each of them `decoder_steps` of the decoder."""
        images, labels = data
        images = self.augmented(images)
        targets, own = self._targets(images)
        inputs = self.inner.prepare(images, labels) if self.inner else ()
        for _ in range(self.updates):
            for _ in range(self.decoder_steps - 1):
                self._decoder_step(images, targets)
            watched = self.watched(inputs)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(watched)
                encoding = self.encoder(images, training=True)
                classification, logits = self._classify(labels, encoding, inputs)
                with tape.stop_recording():
                    scales = self._scales(encoding, targets, labels, own)
                reconstruction = self.decoder(self.reversal(encoding, scale=scales, training=True), training=True)
                errors = self.relative_errors(reconstruction, targets)
                loss = classification + self.weight * tf.reduce_mean(errors)
            variables = self.trained_variables
            gradients, ascent = tape.gradient(loss, (variables, watched))
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            variables = self.decoder.trainable_variables
            self.decoder_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            del tape
            inputs = self.follow(inputs, *ascent) if watched else inputs
            self.measured["reconstruction_loss"].update_state(errors)
            logs = self.logs(classification, labels, logits)
        return logs

    def test_step(self, data):
        """Classification loss and accuracy, and the error of reconstructing the image itself."""
        images, _ = data
        self.measured["reconstruction_loss"].update_state(self.relative_errors(self.reconstruct(images), images))
        return super().test_step(data)

    def _classify(self, labels, encoding, inputs):
        """The loss of the classification and its logits (batch, classes): of the encoding, or of the inner training's inputs."""
        if not self.inner:
            logits = self.head(encoding, training=True)
            return self.classification(labels, logits), logits
        self.inner.label_smoothing = self.label_smoothing
        return self.inner.objective(labels, *inputs)

    def _decoder_step(self, images, targets):
        encoding = self.encoder(images, training=False)
        with tf.GradientTape() as tape:
            errors = self.relative_errors(self.decoder(encoding, training=True), targets)
            loss = tf.reduce_mean(errors)
        variables = self.decoder.trainable_variables
        self.decoder_optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def _targets(self, images):
        """Targets (batch, H, W, C), and which of them are the example's own image (batch,)."""
        if self.experiment != "shuffled":
            return images, tf.fill(tf.shape(images)[:1], self.experiment == "positive")
        step = tf.cast(self.optimizer.iterations, tf.int32)
        images = replicas.gather(images)
        batch = tf.shape(images)[0]
        order = tf.argsort(tf.random.stateless_uniform([batch], seed=[self.seed, step]))
        # Rotating within a random half gives each of its members another member's image.
        half = order[: batch // 2]
        targets = tf.tensor_scatter_nd_update(images, half[:, None], tf.gather(images, tf.roll(half, shift=1, axis=0)))
        own = tf.tensor_scatter_nd_update(tf.ones([batch], tf.bool), half[:, None], tf.zeros_like(half) > 0)
        return replicas.part(targets), replicas.part(own)

    def _scales(self, encoding, targets, labels, own):
        """The reversal's scale of each example, (batch,): -1 passes the gradient on as it is."""
        errors = self.relative_errors(self.decoder(encoding, training=False), targets)
        pressure = BOUNDS[self.bound](errors, tf.gather(self.class_levels, labels))
        return tf.where(own, -1.0, self.reversal.scale.value * pressure)


def error_levels(images: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """How wrong it is to answer with a mean image.

    Args:
      images: (n, H, W, C) in [0, 1].
      labels: (n,).

    Returns:
      V, the mean squared error per pixel of the mean image, and (classes,) that of each class's mean image over V.
    """
    flat = np.asarray(images, np.float32).reshape(len(images), -1)
    total = float(np.mean(np.square(flat - flat.mean(0))))
    levels = np.ones(int(labels.max()) + 1, np.float32)
    for label in np.unique(labels):
        rows = flat[labels == label]
        levels[label] = np.mean(np.square(rows - rows.mean(0))) / total
    return total, levels
