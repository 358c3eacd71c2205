"""A variational autoencoder on auxiliary images (Kingma and Welling 2014), conditional if there are labels (Sohn et al. 2015)."""

import dataclasses
import math
import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import models
from tfinv.inversion import auxiliary

# Share of the training rows whose label is hidden, so that the code of no label stands for classes without auxiliary images.
_HIDDEN_LABELS = 0.1


@dataclasses.dataclass(frozen=True)
class Settings(auxiliary.Settings):
    """Settings of the network and its training.

    Attributes:
      width: channels of the convolutions.
    """

    width: int = 32


class VAE:
    """Encoder and generator of a variational autoencoder.

    Args:
      image_shape: (H, W, C).
      class_mask: (K,) bool: classes with auxiliary images; of length 0 if it is not conditional.
      settings: of the network.
    """

    def __init__(self, image_shape: tuple[int, int, int], class_mask: np.ndarray, settings: Settings):
        self.latent, self._class_mask = settings.latent, tf.constant(class_mask, tf.float32)
        self._encoder = models.image_encoder(image_shape, 2 * settings.latent, settings.width, settings.seed)
        self._generator = models.generator(
            settings.latent, image_shape, len(class_mask), settings.width, settings.seed + 1
        )

    @property
    def variables(self) -> list[Any]:
        """Variables of both networks."""
        return [*self._encoder.variables, *self._generator.variables]

    def code(self, labels: tf.Tensor) -> tf.Tensor:
        """(b, K) one-hot labels; zeros for a class without auxiliary images."""
        return tf.one_hot(labels, len(self._class_mask)) * self._class_mask

    def posterior(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log variance of q(z | x), (b, latent) each; the label is no input, since the image shows it."""
        mean, log_variance = tf.split(self._encoder(images), 2, axis=1)
        return mean, log_variance

    def logits(self, latents: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) logits of the pixels."""
        return self._generator(tf.concat([latents, codes], axis=1))

    def decode(self, latents: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) images in [0, 1]; labels are ignored if the VAE is not conditional."""
        return tf.sigmoid(self.logits(latents, self.code(labels)))


def divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """(b,) KL(N(mean, variance) || N(0, 1)), summed over the latent dimensions (Kingma and Welling 2014, appendix B)."""
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + tf.square(mean) - 1.0 - log_variance, axis=1)


def reconstruction(images: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """(b,) binary cross-entropy, summed over the pixels: -log p(x | z) of Bernoulli pixels (ibid., appendix C.1)."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits), axis=[1, 2, 3])


def negative_elbo(vae: VAE, images: tf.Tensor, codes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """(b,) reconstruction and divergence, at one draw of z for each image."""
    mean, log_variance = vae.posterior(images)
    z = mean + tf.exp(0.5 * log_variance) * tf.random.stateless_normal(tf.shape(mean), seed)
    is_shown = tf.random.stateless_uniform([tf.shape(images)[0], 1], seed + 1) >= _HIDDEN_LABELS
    codes = tf.where(is_shown, codes, 0.0)
    return reconstruction(images, vae.logits(z, codes)) + divergence(mean, log_variance)


def train_vae(
    images: np.ndarray,
    labels: np.ndarray | None = None,
    classes: int = 0,
    settings: Settings | None = None,
    folder: str | os.PathLike | None = None,
) -> VAE:
    """Trains a VAE, or takes it from the cache; see `auxiliary.train_once`.

    Args:
      images: (m, H, W, C) float32 in [0, 1].
      labels: (m,) classes to condition it on; None for none. Labels of `classes` or above count as none.
      classes: K.
      settings: None for the defaults.
      folder: for its weights; None for memory alone.

    Raises:
      UserError: the folder cannot be used.
    """
    settings = settings or Settings()
    if labels is None:
        labels, classes = np.zeros(len(images), np.int64), 0
    height, width, channels = images.shape[1:]
    class_mask = np.isin(np.arange(classes), labels)

    def make() -> VAE:
        return VAE((height, width, channels), class_mask, settings)

    def train(vae: VAE) -> None:
        scale = math.prod(images.shape[1:])

        def loss(image_batch, label_batch, seed):
            return negative_elbo(vae, image_batch, vae.code(label_batch), seed) / scale

        auxiliary.fit(
            loss,
            vae.variables,
            (images, labels),
            updates=settings.updates,
            batch_size=settings.batch_size,
            rate=settings.rate,
            seed=settings.seed,
        )

    return auxiliary.train_once("vae", (settings, classes), (images, labels), make, train, folder)
