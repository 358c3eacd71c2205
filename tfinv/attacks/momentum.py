"""Attacks designed to transfer between models, with momentum, input diversity or translation invariance."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.pgd import BIM
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import StepOptions
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class MIFGSM(BIM):
    """Momentum iterative FGSM (Dong et al. 2018, algorithm 1): g <- decay g + grad / mean|grad|, x <- x + eps / steps sign(g).

    Attributes:
      decay: of the accumulated gradient.
    """

    decay: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "of at least 0", lambda x: x >= 0, "decay")

    @property
    def step_options(self) -> StepOptions:
        """Options of the compiled step, with momentum."""
        return dataclasses.replace(super().step_options, momentum=True)


@dataclasses.dataclass(frozen=True)
class DIFGSM(MIFGSM):
    """Diverse inputs (Xie et al. 2019, algorithm 1), with momentum: gradients at randomly shrunk and padded images.

    The image is shrunk to at least `smallest` of its size and padded back with the lowest value. (The paper enlarges it, which
    a model with a fixed input size can't take.) The random draws of a step are the same for all images.

    Attributes:
      probability: that a step shrinks the images.
      smallest: lower limit of the share of height and width.
    """

    probability: float = 0.5
    smallest: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "above 0, at most 1", lambda x: 0 < x <= 1, "probability", "smallest")

    @property
    def step_options(self) -> StepOptions:
        """Options of the compiled step, with input diversity."""
        return dataclasses.replace(super().step_options, diverse=True)

    def step_arguments(self, problem: Problem) -> Iterator[tuple[Any, ...]]:
        """Yields for each step the share to shrink to, and the shares of the padding above and left."""
        rng = np.random.default_rng(problem.seed)
        while True:
            draw, share, top, left = rng.uniform(size=4).astype(np.float32)
            shrunk = np.float32(self.smallest + share * (1 - self.smallest))
            yield shrunk if draw < self.probability else 1.0, top, left


@dataclasses.dataclass(frozen=True)
class TIFGSM(MIFGSM):
    """Translation-invariant attack (Dong et al. 2019, equation 8), with momentum: gradients smoothed by a Gaussian.

    Attributes:
      kernel: width of the Gaussian in pixels, three standard deviations to each side; odd. The paper: 15 for images of 299.
    """

    kernel: int = 5

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "kernel")
        if self.kernel % 2 == 0:
            raise expected("an odd kernel", self.kernel, "Change the argument `kernel`.")

    @property
    def step_options(self) -> StepOptions:
        """Options of the compiled step, with the width of the Gaussian."""
        return dataclasses.replace(super().step_options, kernel=self.kernel)
