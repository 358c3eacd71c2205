"""Small trained models that come with the package, each with a card that says how it was made and what it scores.

A model NAME is two files in the package's folder `models/data`: NAME.keras, which plain Keras loads, and NAME.json, its card.
`tfinv.recipes.shipping` makes both from a training and an evaluation.
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

from tfinv.errors import expected

DATA: Traversable = importlib.resources.files("tfinv.models") / "data"
# Of a model's file; a package should stay light.
MOST_BYTES = 2_000_000


@dataclasses.dataclass(frozen=True)
class Score:
    """An accuracy.

    Attributes:
      attack: the attack's text form, "none" for clean images.
      norm: of the budget; None for clean images.
      eps: the budget, a fraction of the pixels' range; 0 for clean images.
      accuracy: in [0, 1].
      n: of how many images, the first of the test split.
      ci95: its 95 % interval.
    """

    attack: str
    norm: str | None
    eps: float
    accuracy: float
    n: int
    ci95: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Card:
    """What there is to know of a trained model.

    Attributes:
      name: of the model.
      architecture: its text form, as `models.build` takes it.
      recipe: the defence's text form, as `training.defences.defence` takes it; "none" is training as usual.
      dataset: name of the data set; trained on its training split, scored on its test split.
      classes: the classes' names, in the order of the logits.
      command: trained it.
      evaluation: scored it.
      seed: of the training.
      epochs: of the training.
      seconds: that the training took.
      machine: on which: processor, cores, versions, date.
      clean: accuracy on clean images.
      robust: accuracies under attack.
      parameters: number of weights.
      weights: type in which they are stored, "float32" or "float16"; the model computes in float32 either way.
      sha256: of the model's file.
      golden_logits: (3, classes), what it gives for `golden_images`.
      embedded: how many of the test images of `mnist5k` it gets right, and of how many; None if its images are not MNIST's. They
        are of MNIST's training set: a figure to see that the model still works, and no measure of it.
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

    def to_json(self) -> dict[str, Any]:
        """As `NAME.json` has it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Card":
        """Reads what `to_json` gave.

        Raises:
          TypeError: a field lacks, or there is one too many.
        """
        value = _frozen(value)
        clean, robust = Score(**value["clean"]), tuple(Score(**score) for score in value["robust"])
        return cls(**value | {"clean": clean, "robust": robust})


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples."""
    if isinstance(value, dict):
        return {k: _frozen(v) for k, v in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def golden_images(shape: tuple[int, int, int]) -> np.ndarray:
    """(3, H, W, C) float32 noise in [0, 1], the same everywhere, to see whether a model still gives what it gave."""
    return np.random.default_rng(0).uniform(size=(3, *shape)).astype(np.float32)


def pretrained_names() -> list[str]:
    """The names of the models that come with the package."""
    if not DATA.is_dir():
        return []
    return sorted(file.name.removesuffix(".keras") for file in DATA.iterdir() if file.name.endswith(".keras"))


def card(name: str) -> Card:
    """The card of a trained model.

    Raises:
      UserError: there is no such model.
    """
    return Card.from_json(json.loads(_file(name, ".json").read_text(encoding="utf-8")))


def pretrained(name: str) -> keras.Model:
    """A trained model, from images (batch, H, W, C) in [0, 1] to logits.

    Raises:
      UserError: there is no such model.
    """
    with pretrained_file(name) as path:
        return keras.models.load_model(path, compile=False)


@contextlib.contextmanager
def pretrained_file(name: str) -> Iterator[pathlib.Path]:
    """Yields the path of a trained model's file, which may be a copy that goes when the block ends.

    Raises:
      UserError: there is no such model.
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
    return DATA / f"{name}{suffix}"
