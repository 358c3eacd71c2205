"""Small pretrained models in the package, each with a model card of its training and its accuracy.

A model NAME consists of two files in the package's folder `models/data`: NAME.keras, which plain Keras loads, and NAME.json,
its card. `tfinv.shipping.card` creates both from a training and an evaluation.
"""

import contextlib
import dataclasses
import importlib.resources
import json
import pathlib
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

import keras
import numpy as np

from tfinv import catalogue
from tfinv.catalogue import pretrained_names
from tfinv.errors import expected

# Largest size of a model's file, so that the package stays small.
MOST_BYTES = 2_000_000


@dataclasses.dataclass(frozen=True)
class Score:
    """An accuracy.

    Attributes:
      attack: the attack's spec, "none" for clean images.
      norm: of the budget; None for clean images.
      eps: the budget as a fraction of the pixel range; 0 for clean images.
      accuracy: in [0, 1].
      n: number of images, the first of the test split.
      ci95: 95 % confidence interval of the accuracy.
    """

    attack: str
    norm: str | None
    eps: float
    accuracy: float
    n: int
    ci95: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Privacy:
    """A guarantee of differential privacy, and what it is stated for.

    Attributes:
      epsilon: of the trained weights.
      delta: probability with which epsilon may fail.
      sampling: of the batches, such as "Poisson".
      relation: between the data sets that are compared.
      accountant: that computed epsilon.
    """

    epsilon: float
    delta: float
    sampling: str
    relation: str
    accountant: str


@dataclasses.dataclass(frozen=True)
class Card:
    """Model card of a pretrained model.

    Attributes:
      name: of the model.
      architecture: its spec, for `models.build`.
      recipe: the defence's spec, for `training.defences.defence`; "none" is standard training.
      dataset: name of the data set; trained on its training split, evaluated on its test split.
      classes: names of the classes, in the order of the logits.
      command: command that trained the model.
      evaluation: command that evaluated it.
      seed: of the training.
      epochs: of the training.
      seconds: duration of the training.
      machine: machine of the training: processor, cores, versions, date.
      clean: accuracy on clean images.
      robust: accuracies under attack.
      parameters: number of weights.
      weights: type of the stored weights, "float32" or "float16"; the model computes in float32 either way.
      sha256: of the model's file.
      golden_logits: (3, classes), its logits for `golden_images`.
      embedded: number of correctly classified test images of `mnist5k`, and of all; None if it is no model of MNIST. The images
        are from MNIST's training set: the figure checks that the model still works, and does not measure its accuracy.
      privacy: guarantee of differential privacy; None for none.
    """

    name: str
    architecture: str
    recipe: str
    dataset: str
    classes: tuple[str, ...]
    command: str
    evaluation: str
    seed: int
    epochs: int
    seconds: float
    machine: str
    clean: Score
    robust: tuple[Score, ...]
    parameters: int
    weights: str
    sha256: str
    golden_logits: tuple[tuple[float, ...], ...]
    embedded: tuple[int, int] | None
    privacy: Privacy | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `NAME.json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Card":
        """Creates a card from the result of `to_json`.

        Raises:
          TypeError: a field is missing or unknown.
        """
        value = _to_tuples(value)
        clean, robust = Score(**value["clean"]), tuple(Score(**score) for score in value["robust"])
        privacy = Privacy(**value["privacy"]) if value.get("privacy") else None
        return cls(**value | {"clean": clean, "robust": robust, "privacy": privacy})


def _to_tuples(value: Any) -> Any:
    """Replaces the lists of a JSON value by tuples."""
    if isinstance(value, dict):
        return {k: _to_tuples(v) for k, v in value.items()}
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value


def golden_images(shape: tuple[int, int, int]) -> np.ndarray:
    """Returns (3, H, W, C) float32 noise in [0, 1], the same on every machine, to check that a model's logits are unchanged."""
    return np.random.default_rng(0).uniform(size=(3, *shape)).astype(np.float32)


def card(name: str) -> Card:
    """Returns the card of a pretrained model.

    Raises:
      UserError: the name is unknown.
    """
    return Card.from_json(json.loads(_file(name, ".json").read_text(encoding="utf-8")))


def pretrained(name: str) -> keras.Model:
    """Loads a pretrained model, from images (batch, H, W, C) in [0, 1] to logits.

    Raises:
      UserError: the name is unknown.
    """
    with pretrained_file(name) as path:
        return keras.models.load_model(path, compile=False)


@contextlib.contextmanager
def pretrained_file(name: str) -> Iterator[pathlib.Path]:
    """Yields the path of a pretrained model's file, which may be a temporary copy that is deleted when the block ends.

    Raises:
      UserError: the name is unknown.
    """
    with importlib.resources.as_file(_file(name, ".keras")) as path:
        yield path


def _file(name: str, suffix: str) -> Traversable:
    names = pretrained_names()
    if name not in names:
        raise expected(
            f"a pretrained model among {', '.join(names) or 'those shipped, which are none'}",
            repr(name),
            "See tfinv.models.pretrained_names().",
        )
    return catalogue.PRETRAINED / f"{name}{suffix}"
