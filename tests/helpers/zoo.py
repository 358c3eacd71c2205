"""The forms in which models come: each is built in its own format, with the logits that its own framework computes."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Built:
    """A model on disk, and the truth about it.

    Attributes:
      path: file or folder.
      images: (n, H, W, C) float32 in the bounds, as tfinv takes them: before any preprocessing, channels last, RGB.
      logits: (n, K) by the framework that wrote it, computed without tfinv; a constant an image may be added. None for a form
        that is refused.
    """

    path: pathlib.Path
    images: np.ndarray
    logits: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Form:
    """A form of models.

    Attributes:
      kind: heading of the table: "Heads", "Inputs", "Keras files", "SavedModels", "Deployed models", "Quantised models",
        "Preprocessing" or "Other files".
      name: the form, as its owner calls it.
      does: what tfinv does, as a short sentence.
      build: writes it into an empty folder.
      arguments: of `load_classifier`, beyond the path.
      flags: the same as flags of the command line, for the table; "" for none.
      gradients: whether its gradients are those of its logits, and compared with finite differences.
      estimates: whether these gradients are straight-through estimates, which differences of rounded values don't equal.
      refusal: for a form that is refused: a part of the error, which names what to do.
      tolerance: most difference of a logit, over the range of the logits.
      needs: packages that are skipped for if they are not installed.
      command: whether it stands for its kind in the tests of whole commands.
    """

    kind: str
    name: str
    does: str
    build: Callable[[pathlib.Path], Built]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    flags: str = ""
    gradients: bool = True
    estimates: bool = False
    refusal: str = ""
    tolerance: float = 1e-4
    needs: tuple[str, ...] = ()
    command: bool = False
