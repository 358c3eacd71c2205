"""MIFace in the latent space of a denoising autoencoder (Fredrikson, Jha and Ristenpart 2015, Algorithm 2, Process-DAE)."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import expected
from tfinv.inversion import auxiliary, denoising, starts
from tfinv.inversion.base import check_real, check_whole
from tfinv.inversion.denoising import DenoisingAutoencoder
from tfinv.inversion.miface import MIFace
from tfinv.inversion.problem import Problem
from tfinv.inversion.processing import PROCESSES


@dataclasses.dataclass(frozen=True)
class MIFaceDAE(MIFace):
    """MIFace over the code of an image, with Process-DAE: at intervals decode, denoise and sharpen, encode again.

    In the paper the autoencoder is the first part of the victim itself; here the attacker trains one on auxiliary images, so that
    the method works against any victim.

    Attributes:
      start: an image, which the encoder maps to its code.
      rate: along the gradient with respect to the code.
      process: applied to the decoded image.
      latent: see `denoising.Settings`, likewise `units` and `corruption`.
      updates: see `denoising.Settings`.
      autoencoder_seed: of the autoencoder's weights and training.
      folder: for trained autoencoders, so that other runs find them; None for memory alone.
    """

    start: str = "average"
    rate: float = 1.0
    process: str = "both"
    process_every: int = 100
    latent: int = 300
    units: int = 1000
    corruption: float = 0.3
    updates: int = 2000
    autoencoder_seed: int = 0
    folder: str | None = None
    _network: DenoisingAutoencoder | None = dataclasses.field(default=None, init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 1, "latent", "units", "updates")
        check_whole(self, 0, "autoencoder_seed")
        check_real(self, 0, "corruption")
        if self.corruption >= 1:
            raise expected("corruption below 1", self.corruption, "Change the argument `corruption`.")

    @property
    def needs(self) -> frozenset[str]:
        """The images, and what the start needs."""
        return frozenset({"images"}) | super().needs

    def prepare(self, problem: Problem) -> Any:
        """Trains the autoencoder, or takes it from the cache.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        images = auxiliary.images_for(problem, "miface_dae")
        settings = denoising.Settings(
            latent=self.latent,
            units=self.units,
            corruption=self.corruption,
            updates=self.updates,
            seed=self.autoencoder_seed,
        )
        return auxiliary.with_networks(self, _network=denoising.train_denoiser(images, settings, self.folder))

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, latent) codes in [0, 1] of the starting images."""
        return run_in_batches(self._autoencoder.encode, starts.make(self.start, problem), problem.batch_size)

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images of codes."""
        return self._autoencoder.decode(points)

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Clips codes to [0, 1], and applies Process-DAE every `process_every` steps."""
        points = tf.clip_by_value(points, 0.0, 1.0)
        if self.process == "identity":
            return points
        due = tf.equal(tf.math.floormod(count, self.process_every), 0)
        return tf.cond(due, lambda: self.process_codes(points), lambda: points)

    def process_codes(self, points: tf.Tensor) -> tf.Tensor:
        """(b, latent) codes after Process-DAE: decodes, processes and encodes again."""
        images = PROCESSES[self.process](self._autoencoder.decode(points))
        return self._autoencoder.encode(tf.clip_by_value(images, 0.0, 1.0))

    @property
    def _autoencoder(self):
        if self._network is None:
            raise RuntimeError("prepare() gives the method with its autoencoder")
        return self._network
