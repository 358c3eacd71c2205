"""A denoising autoencoder on auxiliary images (Vincent et al. 2008)."""

import dataclasses
import math
import os
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import models
from tfinv.inversion import auxiliary
from tfinv.inversion.vae import reconstruction


@dataclasses.dataclass(frozen=True)
class Settings(auxiliary.Settings):
    """Settings of the network and its training.

    Attributes:
      latent: size of the code.
      units: width of the hidden layers.
      corruption: share of the pixels that are set to zero in the encoder's input (masking noise), below 1.
    """

    latent: int = 300
    units: int = 1000
    corruption: float = 0.3


class DenoisingAutoencoder:
    """Encoder and decoder of a denoising autoencoder.

    Args:
      image_shape: (H, W, C).
      settings: of the network.
    """

    def __init__(self, image_shape: tuple[int, int, int], settings: Settings):
        self._encoder, self._decoder = models.autoencoder(image_shape, settings.latent, settings.units, settings.seed)

    @property
    def variables(self) -> list[Any]:
        """Variables of both networks."""
        return [*self._encoder.variables, *self._decoder.variables]

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """(b, latent) codes in [0, 1]."""
        return self._encoder(images)

    def logits(self, codes: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) logits of the pixels."""
        return self._decoder(codes)

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) images in [0, 1]."""
        return tf.sigmoid(self.logits(codes))


def corrupt(images: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Sets a random share of the pixels, with all their channels, to zero.

    The others are scaled up by 1 / (1 - share), so that whole images are as bright on average, as in dropout.
    """
    height, width, channels = images.shape[1:]
    mask = tf.random.stateless_uniform([tf.shape(images)[0], height, width, 1], seed) >= share
    return tf.where(mask, images / (1.0 - share), 0.0)


def train_denoiser(
    images: np.ndarray, settings: Settings | None = None, folder: str | os.PathLike | None = None
) -> DenoisingAutoencoder:
    """Trains a denoising autoencoder, or takes it from the cache; see `auxiliary.train_once`.

    Args:
      images: (m, H, W, C) float32 in [0, 1].
      settings: None for the defaults.
      folder: for its weights; None for memory alone.

    Raises:
      UserError: the folder cannot be used.
    """
    settings = settings or Settings()
    height, width, channels = images.shape[1:]

    def make() -> DenoisingAutoencoder:
        return DenoisingAutoencoder((height, width, channels), settings)

    def train(network: DenoisingAutoencoder) -> None:
        scale = math.prod(images.shape[1:])

        def loss(batch, seed):
            codes = network.encode(corrupt(batch, settings.corruption, seed))
            return reconstruction(batch, network.logits(codes)) / scale

        auxiliary.fit(
            loss,
            network.variables,
            (images,),
            updates=settings.updates,
            batch_size=settings.batch_size,
            rate=settings.rate,
            seed=settings.seed,
        )

    return auxiliary.train_once("dae", settings, (images,), make, train, folder)
