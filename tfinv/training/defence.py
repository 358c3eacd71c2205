"""`Defence`: hyper-parameters of a training method, and the constructor of its training model."""

import dataclasses
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from tfinv.errors import expected
from tfinv.training.base import ClassifierTraining, Plan
from tfinv.training.networks import adapt


@dataclasses.dataclass(frozen=True)
class Defence:
    """Training method of a classifier; its fields are hyper-parameters, with the defaults of the source.

    Attributes:
      NAME: in `DEFENCES` and in its text form.
      COMBINES: whether it can be combined with a decoder, see `tfinv.training.combined`.
    """

    NAME: ClassVar[str] = ""
    COMBINES: ClassVar[bool] = False

    def training(self, plan: Plan) -> ClassifierTraining:
        """Returns the training model, not yet compiled.

        A network that does not take images in [0, 1] and give logits is recognised, see `networks.adapt`; a warning says what is
        done about it, and `export_classifier` gives it back as it was, with trained weights.

        Raises:
          UserError: the defence does not fit the network, or the network not the images.
        """
        adaptation = adapt(plan.classifier, plan.dataset, plan.bounds)
        model = self.build(dataclasses.replace(plan, classifier=adaptation.network))
        if adaptation.notes:
            model.adaptation = adaptation
            notes = list(adaptation.notes)
            if adaptation.is_assumed and plan.bounds is None:
                notes.append(f"nothing in {plan.classifier.name} says which range it takes: it gets images from 0 to 1")
            warnings.warn("; ".join(notes) + ". It is exported in its own form.", stacklevel=2)
        return model

    def build(self, plan: Plan) -> ClassifierTraining:
        """Returns the training model of a network from images in [0, 1] to logits.

        Raises:
          UserError: the defence does not fit the network.
        """
        raise NotImplementedError

    def callbacks(self, images: np.ndarray, logdir: str | os.PathLike) -> Sequence[keras.callbacks.Callback]:
        """Returns callbacks for the training, given a few held-out images (n, H, W, C) and TensorBoard's folder."""
        return ()

    def costs(self, plan: Plan) -> list[dict[str, Any]]:
        """Returns guarantees and costs of the training, such as epsilon, as rows with at least `metric` and `value`."""
        return []


@dataclasses.dataclass(frozen=True)
class Undefended(Defence):
    """Trains with plain cross-entropy."""

    NAME: ClassVar[str] = "none"

    def build(self, plan: Plan) -> ClassifierTraining:
        """Returns the base class itself."""
        return ClassifierTraining(plan.classifier, seed=plan.seed)


def check_range(defence: Defence, low: float, high: float, *names: str) -> None:
    """Refuses fields of a defence that are outside [low, high] or infinite.

    Raises:
      UserError: one is outside, or not a number.
    """
    for name in names:
        value = getattr(defence, name)
        if not low <= value <= high or math.isinf(value):
            limit = f"of at least {low:g}" if math.isinf(high) else f"in {low:g}..{high:g}"
            finite = "finite and " if math.isinf(value) else ""
            raise expected(f"{name} of {defence.NAME} {finite}{limit}", value, "Change --defense.")
