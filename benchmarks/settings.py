"""Settings of every contestant, and the scale of a run: the full run of the page, or a quick one to see that all works."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of one L-inf PGD run on images in [0, 1].

    Attributes:
      eps: radius.
      steps: gradient steps a restart.
      step_size: length of one step.
      restarts: runs from random starts.
      batch_size: images in one call of the model.
    """

    eps: float
    steps: int
    step_size: float
    restarts: int
    batch_size: int


# (images, labels, settings, seed) to the attacked images and the number of gradients taken, summed over the images.
Run = Callable[[np.ndarray, np.ndarray, Settings, int], tuple[np.ndarray, int]]


@dataclasses.dataclass(frozen=True)
class Scale:
    """Scale of a run.

    Attributes:
      train_images: at most so many for training.
      epochs: of training.
      rate_batches: batches in one measurement of the rate table.
      rate_steps: PGD steps of the rate table.
      rate_repetitions: measurements of each contestant.
      attack_images: in the table of seconds to a robust accuracy, and AutoAttack's.
      attack_steps: PGD steps in the table of seconds.
      attack_restarts: PGD restarts, likewise.
      attack_repetitions: measurements of each contestant.
      precision_images: in the table of half precision.
      memory_images: the two numbers of images whose peaks are compared.
      memory_steps: PGD steps, on which memory should not depend.
      curve_images: images of the eps curve.
      curve_steps: PGD steps at each eps.
    """

    train_images: int = 60_000
    epochs: int = 3
    rate_batches: int = 1
    rate_steps: int = 80
    rate_repetitions: int = 3
    attack_images: int = 1000
    attack_steps: int = 40
    attack_restarts: int = 5
    attack_repetitions: int = 1
    precision_images: int = 10_000
    memory_images: tuple[int, int] = (1000, 10_000)
    memory_steps: int = 1
    curve_images: int = 10_000
    curve_steps: int = 5


FULL = Scale()
QUICK = Scale(6000, 2, 1, 4, 2, 40, 5, 2, 1, 40, (1100, 2200), 2, 600, 2)
