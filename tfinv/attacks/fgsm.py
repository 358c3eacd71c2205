"""Attacks of one gradient step, from the image or from a random point near it."""

import dataclasses

import numpy as np

from tfinv import random
from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.gradient import GradientAttack
from tfinv.attacks.problem import Problem


@dataclasses.dataclass(frozen=True)
class FGSM(GradientAttack):
    """Fast gradient sign method (Goodfellow et al. 2015, section 4): x + eps sign(grad), or eps g / |g| for L2."""

    @property
    def single_step(self) -> bool:
        """True, also for the attacks that derive from it."""
        return True

    def sizes(self, radius: float) -> np.ndarray:
        """Returns one step of length eps."""
        return np.array([radius])


@dataclasses.dataclass(frozen=True)
class RFGSM(FGSM):
    """R+FGSM (Tramer et al. 2018, section 3.3): x' = x + a sign(N(0, 1)), then a step of eps - a from there.

    Attributes:
      share: a / eps.
    """

    NORMS = ("linf",)

    share: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "between 0 and 1", lambda x: 0 < x < 1, "share")

    def initial_images(self, problem: Problem, radius: float) -> np.ndarray:
        """Returns x'."""
        signs = np.sign(random.normal(problem.seed, 0, problem.rows, problem.images.shape[1:]).numpy())
        return problem.clip(problem.images + np.float32(self.share * radius) * signs)

    def sizes(self, radius: float) -> np.ndarray:
        """Returns the rest of the budget."""
        return np.array([(1 - self.share) * radius])


@dataclasses.dataclass(frozen=True)
class NFGSM(FGSM):
    """N-FGSM (de Jorge et al. 2022, section 4): a step of eps from x + U(-k eps, k eps).

    In training, its perturbation may be as large as (1 + k) eps; as an attack it is projected onto the budget. The step is also
    taken where the noise, which may exceed the budget, already fools the model.

    Attributes:
      noise: k.
    """

    NORMS = ("linf",)

    early_stop: bool = False
    noise: float = 2.0

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "noise")

    def initial_images(self, problem: Problem, radius: float) -> np.ndarray:
        """Returns the images with noise, clipped to the bounds."""
        noise = 2 * random.uniform(problem.seed, 0, problem.rows, problem.images.shape[1:]).numpy() - 1
        return problem.clip(problem.images + np.float32(self.noise * radius) * noise)
