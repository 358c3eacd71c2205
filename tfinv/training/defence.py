"""`Defence`: the hyper-parameters of one way to train, and how it makes its training model."""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from tfinv.errors import expected
from tfinv.training.base import ClassifierTraining, Plan


@dataclasses.dataclass(frozen=True)
class Defence:
    """One way to train a classifier; its fields are hyper-parameters, whose defaults are the source's.

    Attributes:
      NAME: in `DEFENCES` and in its text form.
      COMBINES: whether it may be trained beside a decoder, see `tfinv.training.combined`.
    """

    NAME: ClassVar[str] = ""
    COMBINES: ClassVar[bool] = False

    def training(self, plan: Plan) -> ClassifierTraining:
        """The training model, not yet compiled.

        Raises:
          UserError: the network cannot be defended so.
        """
        raise NotImplementedError

    def callbacks(self, images: np.ndarray, logdir: str | os.PathLike) -> Sequence[keras.callbacks.Callback]:
        """What should watch the training, given a few held-out images (n, H, W, C) and TensorBoard's folder."""
        return ()

    def costs(self, plan: Plan) -> dict[str, Any]:
        """What the training guarantees or cost beside accuracy, by metric, such as epsilon; reported with the accuracy."""
        return {}


@dataclasses.dataclass(frozen=True)
class Undefended(Defence):
    """Cross-entropy and nothing else."""

    NAME: ClassVar[str] = "none"

    def training(self, plan: Plan) -> ClassifierTraining:
        """The base class itself."""
        return ClassifierTraining(plan.classifier, seed=plan.seed)


def check_range(defence: Defence, low: float, high: float, *names: str) -> None:
    """Refuses fields of a defence outside [low, high], and infinite ones.

    Raises:
      UserError: one is outside, or not a number.
    """
    for name in names:
        value = getattr(defence, name)
        if not low <= value <= high or math.isinf(value):
            limit = f"of at least {low:g}" if math.isinf(high) else f"in {low:g}..{high:g}"
            finite = "finite and " if math.isinf(value) else ""
            raise expected(f"{name} of {defence.NAME} {finite}{limit}", value, "Change --defense.")
