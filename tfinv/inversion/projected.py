"""Projected gradient inversion: a targeted attack with so large a budget that the class itself appears (Santurkar et al. 2019)."""

import dataclasses

import tensorflow as tf

from tfinv import threat
from tfinv.errors import expected
from tfinv.inversion.base import check_real
from tfinv.inversion.descent import Descent


@dataclasses.dataclass(frozen=True)
class Projected(Descent):
    """Steepest descent inside a ball around the start; the defaults are the paper's for CIFAR-10.

    It works best on adversarially trained models. With these defaults the steps reach the edge of the ball at most; more or longer
    steps are projected onto it.

    Attributes:
      eps: radius of the ball, on images in [0, 1].
      norm: of the ball, "l2" or "linf"; `optimiser=sign` goes with the latter.
    """

    steps: int = 60
    start: str = "gaussian"
    eps: float = 30.0
    norm: str = "l2"
    rate: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        check_real(self, 0, "eps", above=True)
        if self.norm not in ("l2", "linf"):
            raise expected("norm l2 or linf", repr(self.norm), "Change the argument `norm`.")

    def constrain(self, points: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Projects onto the ball, then clips to [0, 1]."""
        return tf.clip_by_value(start + threat.project(points - start, self.eps, self.norm), 0.0, 1.0)
