"""Base class of all inversions: hyper-parameters, the knowledge that a method needs, and the stages that the pipeline calls."""

import dataclasses
import math
import numbers
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.inversion import starts
from tfinv.inversion.problem import Problem, Reconstructions
from tfinv.pool import batches

Access = Literal["gradients", "confidences", "labels"]
# Advice where a method asks for more than the classifier gives.
_INSTEAD = {
    "gradients": "Use a method that needs predictions only, such as network or brep.",
    "confidences": "Use a method that needs labels only, such as brep.",
    "labels": "",
}


@dataclasses.dataclass(frozen=True)
class Inversion:
    """Hyper-parameters of an inversion.

    A family implements `optimise`, and where it does not search pixels `sample` and `decode` too.

    Attributes:
      steps: at most so many.
      start: one of `starts.STARTS`.
      candidates: starts drawn for each reconstruction, of which the one of the highest confidence is optimised.
      best_of: reconstructions optimised for each one returned, which is the one of the highest mean confidence over random
        transformations (Struppek et al. 2022, "Plug and play attacks").
      ACCESS: what the method asks of the model: gradients, confidences, or labels.
    """

    ACCESS: ClassVar[Access] = "gradients"

    steps: int = 500
    start: str = "average"
    candidates: int = 1
    best_of: int = 1

    def __post_init__(self):
        check_whole(self, 1, "steps", "candidates", "best_of")
        if self.start not in starts.STARTS:
            raise expected(
                f"a start among {', '.join(starts.STARTS)}", repr(self.start), "Change the argument `start`."
            )
        if self.candidates > 1 and self.start in starts.FIXED:
            raise expected("candidates=1 for a start that is always the same", f"candidates={self.candidates}")
        if self.best_of > 1 and not self.is_drawn:
            raise expected("best_of=1 for reconstructions that are always the same", f"best_of={self.best_of}")

    @property
    def graph(self) -> tuple[Any, ...]:
        """Hyper-parameters that a compiled step depends on: those of the family, none of those of `Inversion`."""
        common = {field.name for field in dataclasses.fields(Inversion)}
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in common)

    @property
    def needs(self) -> frozenset[str]:
        """Names of the attributes of `Knowledge` that the method uses."""
        return starts.NEEDS[self.start]

    @property
    def requires(self) -> frozenset[str]:
        """The part of `needs` without which the method cannot run."""
        return self.needs

    @property
    def until_convergence(self) -> bool:
        """Whether a stop rule can end a row before all steps are taken."""
        return False

    @property
    def is_drawn(self) -> bool:
        """Whether several reconstructions of one class differ; if not, they are copies, and one of them is enough."""
        return self.start not in starts.FIXED

    def prepare(self, problem: Problem) -> "Inversion":
        """Returns the method with what it must train before it starts, such as a generator; by default itself."""
        return self

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, ...) points to start from, in the space that the method searches: images in [0, 1] unless a family has another."""
        return starts.make(self.start, problem)

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images in [0, 1] of points."""
        return points

    def decode_in_batches(self, problem: Problem, points: np.ndarray) -> np.ndarray:
        """(n, H, W, C) images in [0, 1] of the points of the problem's first n rows."""
        parts = batches(np.arange(len(points)), problem.batch_size)
        return np.concatenate(
            [self.decode(tf.constant(points[rows]), tf.constant(problem.labels[rows])).numpy() for rows in parts]
        )

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Reconstructs from n starting points, as `sample` makes them."""
        raise NotImplementedError

    def check(self, problem: Problem) -> None:
        """Raises UserError if the classifier lacks the access, or the attacker the knowledge, that the method requires."""
        self.check_access(problem.classifier)
        for item in sorted(self.requires - starts.NEEDS[self.start]):
            problem.knowledge.require(item, type(self).__name__.lower())
        if starts.NEEDS[self.start] <= self.requires:
            starts.check(self.start, problem)

    def check_access(self, classifier: Classifier) -> None:
        """Raises UserError if the classifier lacks the access that the method requires."""
        classifier.require(self.ACCESS, type(self).__name__, _INSTEAD[self.ACCESS])


def check_whole(method: Any, least: int, *names: str) -> None:
    """Raises UserError unless the named fields are whole numbers of at least `least`."""
    for name in names:
        value = getattr(method, name)
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise expected(f"{name} of at least {least}", value, f"Change the argument `{name}`.")


def check_real(method: Any, least: float, *names: str, above: bool = False) -> None:
    """Raises UserError unless the named fields are finite numbers of at least, or `above`, `least`."""
    for name in names:
        value = getattr(method, name)
        real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(float(value))
        if not real or value < least or (above and value == least):
            raise expected(
                f"{name} {'above' if above else 'of at least'} {least:g}", value, f"Change the argument `{name}`."
            )
