"""An inversion network: confidences in, image out, trained on auxiliary images (Yang et al. 2019).

"Neural network inversion in adversarial setting via background knowledge alignment", CCS 2019.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from tfinv import models
from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import expected
from tfinv.inversion import auxiliary
from tfinv.inversion.base import Access, Inversion, check_real, check_whole
from tfinv.inversion.problem import Problem, Reconstructions

FEEDS = ("mean", "samples", "one_hot")
# Confidences below it count as none.
_LEAST = 1e-10


class InversionNetwork:
    """Generator of images from confidences.

    Args:
      classes: K.
      image_shape: (H, W, C).
      width: of the convolutions.
      seed: of the weights.
    """

    def __init__(self, classes: int, image_shape: tuple[int, int, int], width: int, seed: int):
        self._generator = models.generator(classes, image_shape, 0, width, seed)

    @property
    def variables(self) -> list[Any]:
        """Variables of the generator."""
        return self._generator.variables

    def decode(self, features: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) images in [0, 1] of (b, K) features, see `Network.features`."""
        return tf.sigmoid(self._generator(features))


@dataclasses.dataclass(frozen=True)
class Network(Inversion):
    """Trains a network to invert the victim on auxiliary images, then feeds it the confidences of a class.

    It asks for predictions only. For each victim a network is trained to reconstruct auxiliary images from the logarithms of
    the victim's confidences in them, by the squared error. A class is reconstructed from a row of confidences that stands for it.

    Attributes:
      steps: of the training.
      start: not used, since there is no search.
      feed: confidences that stand for a class: "mean", the mean confidences of the auxiliary images predicted as the class;
        "samples", those of one such image for each sample, so that samples differ; "one_hot". Where no image is predicted as the
        class, the one of the highest confidence in the class is used.
      keep: how many of the largest confidences the attacker sees (the paper's truncation), in training too; 0 for all.
      digits: decimals of the confidences that the attacker sees; -1 for all.
      width: channels of the convolutions.
      batch_size: images in a step of the training.
      rate: learning rate of Adam, at the start.
      network_seed: of its weights and training.
      folder: for trained networks, so that other runs find them; None for memory alone.
    """

    ACCESS: ClassVar[Access] = "confidences"

    steps: int = 3000
    start: str = "zeros"
    feed: str = "mean"
    keep: int = 0
    digits: int = -1
    width: int = 32
    batch_size: int = 64
    rate: float = 1e-3
    network_seed: int = 0
    folder: str | None = None
    # The victim's confidences in the auxiliary images, and the network trained on them.
    _confidences: np.ndarray | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _network: InversionNetwork | None = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 1, "width", "batch_size")
        check_whole(self, 0, "keep", "network_seed")
        check_whole(self, -1, "digits")
        check_real(self, 0, "rate", above=True)
        if self.feed not in FEEDS:
            raise expected(f"feed among {', '.join(FEEDS)}", repr(self.feed), "Change the argument `feed`.")

    @property
    def needs(self) -> frozenset[str]:
        """The images, not their labels."""
        return frozenset({"images"})

    @property
    def is_drawn(self) -> bool:
        """Whether each row is made of the confidences of another image."""
        return self.feed == "samples"

    def prepare(self, problem: Problem) -> Any:
        """Queries the victim with the auxiliary images and trains the network, or takes it from the cache.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        images = auxiliary.images_for(problem, "network")
        victim = problem.classifier
        logits = victim.predict(victim.from_unit(images), problem.batch_size).astype(np.float64)
        confidences = truncate(np.exp(log_softmax(logits, axis=1)), self.keep, self.digits)
        features = logarithms(confidences)
        settings = ("steps", self.steps, self.width, self.batch_size, self.rate, self.network_seed)
        height, width, channels = images.shape[1:]

        def make() -> InversionNetwork:
            return InversionNetwork(victim.num_classes, (height, width, channels), self.width, self.network_seed)

        def train(network: InversionNetwork) -> None:
            def loss(feature_batch, image_batch, seed):
                return tf.reduce_mean(tf.square(network.decode(feature_batch) - image_batch), axis=[1, 2, 3])

            auxiliary.fit(
                loss,
                network.variables,
                (features, images),
                updates=self.steps,
                batch_size=self.batch_size,
                rate=self.rate,
                seed=self.network_seed,
            )

        network = auxiliary.train_once("network", settings, (features, images), make, train, self.folder)
        return auxiliary.with_networks(self, _confidences=confidences, _network=network)

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, K) features of the confidences that stand for each row's class."""
        return self.features(self.class_confidences(problem))

    def class_confidences(self, problem: Problem) -> np.ndarray:
        """(n, K) confidences that stand for each row's class, see `feed`."""
        classes = problem.classifier.num_classes
        if self.feed == "one_hot":
            return np.eye(classes)[problem.labels]
        confidences, order = self._prepared(self._confidences), problem.places // classes
        result = np.empty((len(order), classes))
        for label in np.unique(problem.labels):
            rows = np.flatnonzero(problem.labels == label)
            images = np.flatnonzero(confidences.argmax(axis=1) == label)
            if not len(images):
                images = confidences[:, label].argmax(keepdims=True)
            if self.feed == "mean":
                result[rows] = confidences[images].mean(axis=0)
            else:
                shuffled = np.random.default_rng([problem.seed % 2**63, label]).permutation(images)
                result[rows] = confidences[shuffled[order[rows] % len(shuffled)]]
        return result

    def features(self, confidences: np.ndarray) -> np.ndarray:
        """(n, K) float32 input of the network for confidences (n, K): truncated as the victim's are, as logarithms."""
        return logarithms(truncate(confidences, self.keep, self.digits))

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images of features."""
        return self._prepared(self._network).decode(points)

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Decodes the features once; all rows share the queries of the training."""
        n = len(points)
        images = run_in_batches(self._prepared(self._network).decode, points, problem.batch_size)
        queries = np.full(n, len(self._prepared(self._confidences)), np.int64)
        return Reconstructions(images, np.full(n, np.nan), np.full(n, self.steps, np.int32), np.zeros(n, bool), queries)

    @staticmethod
    def _prepared(value):
        if value is None:
            raise RuntimeError("prepare() gives the method with its network")
        return value


def truncate(confidences: np.ndarray, keep: int = 0, digits: int = -1) -> np.ndarray:
    """Confidences (n, K) with only the `keep` largest (0: all), to so many decimals (-1: all); the rest is zero."""
    if keep:
        rank = np.argsort(np.argsort(-confidences, axis=1, kind="stable"), axis=1)
        confidences = np.where(rank < keep, confidences, 0.0)
    return np.round(confidences, digits) if digits >= 0 else confidences


def logarithms(confidences: np.ndarray) -> np.ndarray:
    """(n, K) float32 in [0, 1]: 1 + log10(p) / 10, and 0 for all below 1e-10."""
    return (1.0 - np.log(np.maximum(confidences, _LEAST)) / np.log(_LEAST)).clip(0, 1).astype(np.float32)
