"""An inversion network: confidences in, image out, trained on auxiliary images (Yang et al. 2019).

"Neural network inversion in adversarial setting via background knowledge alignment", CCS 2019.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from tfinv import models
from tfinv.errors import expected
from tfinv.inversion import auxiliary
from tfinv.inversion.base import Access, Inversion, check_real, check_whole
from tfinv.inversion.problem import Optimised, Problem
from tfinv.prediction import run_in_batches

FEEDS = ("mean", "samples", "one_hot")
# The least confidence that is told from none.
_LEAST = 1e-10


class InversionNetwork:
    """A generator of images from confidences.

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
        """Its weights."""
        return self._generator.variables

    def decode(self, features: tf.Tensor) -> tf.Tensor:
        """(b, H, W, C) images in [0, 1] of (b, K) `features`."""
        return tf.sigmoid(self._generator(features))


@dataclasses.dataclass(frozen=True)
class Network(Inversion):
    """Learns to undo the victim on auxiliary images, then is shown the confidences of a class.

    It asks for predictions only. For each victim a network is trained to give auxiliary images back from the victim's
    confidences in them, by the squared error; the confidences go in as logarithms. A class is reconstructed from a row of
    confidences that stands for it.

    Attributes:
      steps: of the training.
      start: not used: there is no search.
      feed: what stands for a class: "mean", the mean confidences of the auxiliary images predicted as the class; "samples",
        those of one such image for each sample, so that samples differ; "one_hot". Where no image is predicted as the class,
        the one that the victim is surest of stands for them.
      keep: all but so many of the largest confidences are hidden (the paper's truncation), in training too; 0 hides none.
      digits: decimals of the confidences that are seen; -1 for all.
      width: channels of the convolutions.
      batch_size: images in a step of the training.
      rate: of Adam, at the start.
      network_seed: of its weights and training.
      folder: where trained networks are kept, so that other runs find them; None for memory alone.
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
    _known: tuple[np.ndarray, InversionNetwork] | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

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
        """Only where each row is fed confidences of its own."""
        return self.feed == "samples"

    def prepare(self, problem: Problem) -> Any:
        """Asks the victim about the auxiliary images and trains the network, or finds it trained.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        images = auxiliary.images_for(problem, "network")
        victim = problem.classifier
        logits = victim.predict(victim.from_unit(images), problem.batch_size).astype(np.float64)
        seen = observed(np.exp(log_softmax(logits, axis=1)), self.keep, self.digits)
        settings = ("steps", self.steps, self.width, self.batch_size, self.rate, self.network_seed)
        height, width, channels = images.shape[1:]

        def make() -> InversionNetwork:
            return InversionNetwork(victim.num_classes, (height, width, channels), self.width, self.network_seed)

        def train(network: InversionNetwork) -> None:
            def loss(confidences, targets, seed):
                return tf.reduce_mean(tf.square(network.decode(confidences) - targets), axis=[1, 2, 3])

            auxiliary.fit(
                loss,
                network.variables,
                (logarithms(seen), images),
                updates=self.steps,
                batch_size=self.batch_size,
                rate=self.rate,
                seed=self.network_seed,
            )

        network = auxiliary.train_once("network", settings, (logarithms(seen), images), make, train, self.folder)
        return auxiliary.bound(self, _known=(seen, network))

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, K) what the network is fed for each row."""
        return self.features(self.feeds(problem))

    def feeds(self, problem: Problem) -> np.ndarray:
        """(n, K) confidences that stand for each row's class."""
        classes = problem.classifier.num_classes
        if self.feed == "one_hot":
            return np.eye(classes)[problem.labels]
        seen, order = self._trained[0], problem.places // classes
        found = np.empty((len(order), classes))
        for label in np.unique(problem.labels):
            rows = np.flatnonzero(problem.labels == label)
            standing = np.flatnonzero(seen.argmax(axis=1) == label)
            if not len(standing):
                standing = seen[:, label].argmax(keepdims=True)
            if self.feed == "mean":
                found[rows] = seen[standing].mean(axis=0)
            else:
                shuffled = np.random.default_rng([problem.seed % 2**63, label]).permutation(standing)
                found[rows] = seen[shuffled[order[rows] % len(shuffled)]]
        return found

    def features(self, confidences: np.ndarray) -> np.ndarray:
        """(n, K) float32 what the network is fed for confidences (n, K): what the victim would show of them, as logarithms."""
        return logarithms(observed(confidences, self.keep, self.digits))

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images of features."""
        return self._trained[1].decode(points)

    def optimise(self, problem: Problem, points: np.ndarray) -> Optimised:
        """One pass through the network; all rows share the queries."""
        n = len(points)
        images = run_in_batches(lambda x: self._trained[1].decode(x), points, problem.batch_size)
        queries = np.full(n, len(self._trained[0]), np.int64)
        return Optimised(images, np.full(n, np.nan), np.full(n, self.steps, np.int32), np.zeros(n, bool), queries)

    @property
    def _trained(self):
        if self._known is None:
            raise RuntimeError("prepare() gives the method with its network")
        return self._known


def observed(confidences: np.ndarray, keep: int = 0, digits: int = -1) -> np.ndarray:
    """What is seen of confidences (n, K): the `keep` largest (0: all), to so many decimals (-1: all); the rest is zero."""
    if keep:
        rank = np.argsort(np.argsort(-confidences, axis=1, kind="stable"), axis=1)
        confidences = np.where(rank < keep, confidences, 0.0)
    return np.round(confidences, digits) if digits >= 0 else confidences


def logarithms(confidences: np.ndarray) -> np.ndarray:
    """(n, K) float32 in [0, 1]: 1 + log10(p) / 10, and 0 for all below 1e-10."""
    return (1.0 - np.log(np.maximum(confidences, _LEAST)) / np.log(_LEAST)).clip(0, 1).astype(np.float32)
