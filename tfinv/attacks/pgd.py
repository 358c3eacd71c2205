"""Projected gradient descent, and the basic iterative method, which has no random start."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfinv.attacks.base import Attack
from tfinv.attacks.fields import check_positive
from tfinv.attacks.gradient import GradientAttack, random_initial_images
from tfinv.attacks.problem import Problem
from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class PGD(GradientAttack):
    """Projected gradient descent (Madry et al. 2018, section 2.1). In L1 its steps are those of SLIDE.

    Attributes:
      steps: gradient steps of each restart.
      step_size: of one step, in units of the bounds; None for 2.5 eps / steps, as in the paper.
      restarts: runs from new random starts, each on the images that are not misclassified yet.
      random_start: start from a uniform draw from the budget instead of from the image.
    """

    NORMS = ("linf", "l2", "l1")
    WARM = True

    steps: int = 40
    step_size: float | None = None
    restarts: int = 1
    random_start: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps", "restarts")
        if self.step_size is not None and not 0 < self.step_size < np.inf:
            raise expected("a positive step_size", self.step_size, "Change the argument `step_size`.")
        if self.restarts > 1 and not self.random_start:
            raise expected("random_start=True for several restarts", "random_start=False")

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns one stage for each restart."""
        return [(self, r) for r in range(self.restarts)]

    def sizes(self, radius: float) -> np.ndarray:
        """Returns the same size for every step."""
        return np.full(self.steps, self.step_size or 2.5 * radius / self.steps)

    def initial_images(self, problem: Problem, radius: float) -> np.ndarray:
        """Returns random points of the ball, or the images."""
        return random_initial_images(problem, radius, self.norm) if self.random_start else problem.images


@dataclasses.dataclass(frozen=True)
class BIM(GradientAttack):
    """Basic iterative method (Kurakin et al. 2017, section 2.2): steps of eps / steps from the image.

    Attributes:
      steps: gradient steps.
    """

    NORMS = ("linf", "l2", "l1")

    steps: int = 10

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "steps")

    def sizes(self, radius: float) -> np.ndarray:
        """Returns equal sizes with sum eps."""
        return np.full(self.steps, radius / self.steps)
