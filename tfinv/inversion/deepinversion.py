"""DeepInversion (Yin et al. 2020, "Dreaming to distill"): the batch norms' statistics of the training images as a prior."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.inversion import statistics
from tfinv.inversion.base import check_real
from tfinv.inversion.descent import Descent
from tfinv.inversion.problem import Problem, Reconstructions


@dataclasses.dataclass(frozen=True)
class DeepInversion(Descent):
    """Minimises loss + total variation + `batch_norm` x the distance of the batch's statistics from the moving ones, by Adam.

    The mean and variance are those of all rows together, so a reconstruction depends on the others: one call of `invert` makes one
    batch, which `batch_size` must hold, and the whole batch is returned as it was in the step of its lowest mean cost. The
    prior is the stronger, the more rows and classes there are; the authors take 256. The batch norms' inputs are read from the
    model's graph.

    The defaults are the authors' for CIFAR-10, whose images have a standard deviation of 1, which is about .2 in [0, 1]: their
    rate of .1 is .02 here. Their 2.5e-5 weighs norms over the whole batch of differences of pixels; for 256 images it comes to
    about .25 of their mean, which the prior here is.

    Attributes:
      batch_norm: weight of the distance.
      COUPLED: see above.
    """

    COUPLED: ClassVar[bool] = True

    steps: int = 2000
    start: str = "noise"
    optimiser: str = "adam"
    rate: float = 0.02
    total_variation: float = 0.25
    batch_norm: float = 100.0
    jitter: int = 2
    flip: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_real(self, 0, "batch_norm")
        if self.patience:
            raise expected(
                "patience=0 for deepinversion, whose rows belong together",
                f"patience={self.patience}",
                "Change the argument `patience`.",
            )

    def check_access(self, classifier: Classifier) -> None:
        """Also raises UserError if the classifier has no batch norm, or shows none."""
        super().check_access(classifier)
        if not statistics.has_batch_norm(classifier.parts):
            raise expected(
                "a Keras model with batch normalisation for deepinversion",
                "none that can be seen",
                "Use a method without that prior, such as gradient.",
            )

    def check(self, problem: Problem) -> None:
        """Also raises UserError unless all rows fit into one batch."""
        super().check(problem)
        if (n := len(problem.labels)) > problem.batch_size:
            raise expected(
                f"batch_size of at least {n}, since the {n} rows share their statistics",
                problem.batch_size,
                "Change the argument `batch_size`, --inversion_batch_size of a command, or reconstruct fewer at a time.",
            )

    def logits_and_penalty(self, classifier: Any, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | float]:
        """The logits, and the weighted distance of the batch's statistics."""
        logits, norm_inputs = statistics.logits_and_norm_inputs(classifier.parts, images)
        return logits, self.batch_norm * statistics.distance(norm_inputs)

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Optimises all rows in one batch without padding, which would count in the statistics."""
        return super().optimise(dataclasses.replace(problem, batch_size=len(points)), points)
