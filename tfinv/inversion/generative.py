"""Inversion in the latent space of a generator that the attacker trains on auxiliary images."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfinv import random
from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import expected
from tfinv.inversion import auxiliary, starts, vae
from tfinv.inversion.base import check_real, check_whole
from tfinv.inversion.descent import Descent
from tfinv.inversion.losses import LOSSES
from tfinv.inversion.problem import Problem
from tfinv.inversion.vae import VAE

_LATENT = 2  # the stream of its draws
CONDITIONS = ("none", "known", "predicted")


@dataclasses.dataclass(frozen=True)
class Generative(Descent):
    """Base of the descents over the latent vector z, which a VAE's decoder turns into the image.

    The cost is `prior` x |z|^2 / 2, which is -log N(z; 0, 1) but for a constant, + `identity` x the loss. The generator is trained
    once for the same images and settings, whichever victims are attacked.

    Attributes:
      start: "noise" draws z ~ N(0, 1); the others are images, which the encoder maps to z.
      condition: "none"; "known" conditions the generator on `Knowledge.labels`, if the attacker has them; "predicted" does so too,
        and on the victim's predictions of the auxiliary images if the attacker has no labels (then victims that predict
        differently each have a generator trained).
      prior: weight of the latent's negative log density.
      identity: weight of the loss.
      bound: every latent dimension of z stays within +-bound; 0 for no bound.
      latent: see `vae.Settings`, likewise `width`.
      updates: see `vae.Settings`.
      generator_seed: of the generator's weights and training.
      folder: for trained generators, so that other runs find them; None for memory alone.
    """

    start: str = "noise"
    condition: str = "known"
    prior: float = 0.0
    identity: float = 1.0
    bound: float = 0.0
    latent: int = 32
    width: int = 32
    updates: int = 2000
    generator_seed: int = 0
    folder: str | None = None
    _vae: VAE | None = dataclasses.field(default=None, init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        check_real(self, 0, "prior", "identity", "bound")
        check_whole(self, 1, "latent", "width", "updates")
        check_whole(self, 0, "generator_seed")
        if self.condition not in CONDITIONS:
            raise expected(
                f"condition among {', '.join(CONDITIONS)}", repr(self.condition), "Change the argument `condition`."
            )

    @property
    def needs(self) -> frozenset[str]:
        """The images, their labels if the generator is conditional, and what the start needs."""
        return self.requires | (frozenset() if self.condition == "none" else frozenset({"labels"}))

    @property
    def requires(self) -> frozenset[str]:
        """The images, and what the start needs; without labels the victim's predictions stand in for them."""
        start_needs = frozenset() if self.start == "noise" else starts.NEEDS[self.start]
        return frozenset({"images"}) | start_needs

    def prepare(self, problem: Problem) -> Any:
        """Trains the generator, or takes it from the cache.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        images = auxiliary.images_for(problem, type(self).__name__.lower())
        labels = None if self.condition == "none" else problem.knowledge.labels
        if labels is None and self.condition == "predicted":
            victim = problem.classifier
            labels = victim.predict(victim.from_unit(images), problem.batch_size).argmax(axis=1)
        settings = vae.Settings(latent=self.latent, width=self.width, updates=self.updates, seed=self.generator_seed)
        generator = vae.train_vae(images, labels, problem.classifier.num_classes, settings, self.folder)
        return auxiliary.with_networks(self, _vae=generator)

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, latent) draws of z, or codes of images."""
        if self.start == "noise":
            z = random.normal(problem.seed, _LATENT, problem.places, (self.latent,))
        else:
            images = starts.make(self.start, problem)
            z = run_in_batches(lambda x: self._generator.posterior(x)[0], images, problem.batch_size)
        return np.asarray(self._clip(z))

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images of z and the label."""
        return self._generator.decode(points, labels)

    def cost(self, logits: tf.Tensor, labels: tf.Tensor, images: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
        """(b,) the cost of the class's docstring, and the priors of images that have a weight."""
        loss_and_priors = super().cost(logits, labels, images, points)
        loss = LOSSES[self.loss](logits, labels)
        return loss_and_priors + (self.identity - 1.0) * loss + self.prior * negative_log_density(points)

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Clips z to the bound."""
        return self._clip(points)

    def _clip(self, z):
        return tf.clip_by_value(z, -self.bound, self.bound) if self.bound else z

    @property
    def _generator(self):
        if self._vae is None:
            raise RuntimeError("prepare() gives the method with its generator")
        return self._vae


def negative_log_density(z: tf.Tensor) -> tf.Tensor:
    """(b,) |z|^2 / 2: -log N(z; 0, 1) without its constant."""
    return 0.5 * tf.reduce_sum(tf.square(z), axis=1)
