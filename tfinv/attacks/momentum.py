"""Attacks made to transfer between models: momentum, input diversity, translation invariance."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfinv.attacks.fields import check_number, check_positive
from tfinv.attacks.pgd import BIM
from tfinv.attacks.problem import Problem
from tfinv.attacks.steps import Kind
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
    def kind(self) -> Kind:
        """With momentum."""
        return dataclasses.replace(super().kind, momentum=True)


@dataclasses.dataclass(frozen=True)
class DIFGSM(MIFGSM):
    """Diverse inputs (Xie et al. 2019, algorithm 1), with momentum: gradients at images shrunk and padded at random.

    The image is shrunk to at least `smallest` of its size and padded back with the lowest value, where the paper enlarges the
    image, which a model of one size can't take. The draws of a step are the same for all images.

    Attributes:
      probability: of a shrunk image in one step.
      smallest: least share of the height and width.
    """

    probability: float = 0.5
    smallest: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_number(self, "above 0, at most 1", lambda x: 0 < x <= 1, "probability", "smallest")

    @property
    def kind(self) -> Kind:
        """With diversity."""
        return dataclasses.replace(super().kind, diverse=True)

    def extras(self, problem: Problem) -> Iterator[tuple[Any, ...]]:
        """Of each step: the share to shrink to, and where the small image lies."""
        rng = np.random.default_rng(problem.seed)
        while True:
            chosen, share, top, left = rng.uniform(size=4).astype(np.float32)
            yield (
                np.float32(self.smallest + share * (1 - self.smallest)) if chosen < self.probability else 1.0,
                top,
                left,
            )


@dataclasses.dataclass(frozen=True)
class TIFGSM(MIFGSM):
    """Translation-invariant attack (Dong et al. 2019, equation 8), with momentum: the gradient is smoothed by a Gaussian.

    Attributes:
      kernel: width of the Gaussian in pixels, three standard deviations to each side; odd. The paper has 15 of 299 pixels.
    """

    kernel: int = 5

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "kernel")
        if self.kernel % 2 == 0:
            raise expected("an odd kernel", self.kernel, "Change the argument `kernel`.")

    @property
    def kind(self) -> Kind:
        """With a kernel."""
        return dataclasses.replace(super().kind, kernel=self.kernel)
