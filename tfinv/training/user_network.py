"""`UserNetwork`: a network of the user's in a file, as a command trains it."""

from __future__ import annotations

import dataclasses
import pathlib

import keras
import numpy as np

from tfinv import paths
from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected, from_flag
from tfinv.importing import kinds
from tfinv.importing.custom_objects import objects_of
from tfinv.importing.loaded import ReadOptions
from tfinv.importing.loading import READERS
from tfinv.training.cloning import clone
from tfinv.training.networks import Adaptation, adapt
from tfinv.training.recognition import UNIT, Bounds
from tfinv.training.schedule import Schedule

_LONGEST = 60  # characters of its name in those of files
_FUNCTIONS = ("saved_model", "tflite", "onnx")  # kinds of files that hold no layers


@dataclasses.dataclass(frozen=True)
class UserNetwork:
    """A network in a file.

    Attributes:
      path: a Keras file or folder, trained or not.
      weights: "kept" to begin with those in the file, "new" to draw others; what is not trained keeps its own.
      bounds: range of its images; None to recognise it, or else to assume [0, 1].
      custom_objects: name of a module with its layers and functions, whose code runs; None for none.
      unsafe: whether to run code in the file.
    """

    path: str
    weights: str = "kept"
    bounds: Bounds | None = None
    custom_objects: str | None = None
    unsafe: bool = False

    @property
    def name(self) -> str:
        """Stem of the file, for files and reports."""
        stem = paths.expand(self.path).absolute().stem
        return "".join(c if c.isalnum() or c in "-_.=" else "-" for c in stem)[:_LONGEST].strip("-.") or "network"

    def load(self) -> keras.Model:
        """Returns the network as it is in the file, built.

        Raises:
          UserError: the file is missing, damaged, unsafe, or holds no Keras model that can be trained.
        """
        with from_flag("--network"):
            path = paths.expand(self.path)
            kind = kinds.kind_of(path)
            objects = objects_of(self.custom_objects) if self.custom_objects else {}
            loaded = None if kind in _FUNCTIONS else READERS[kind](path, ReadOptions(self.unsafe, objects))
            if loaded is None or loaded.model is None:
                raise expected(
                    "a Keras model that can be trained, as a .keras or .h5 file",
                    f"{path}, which holds a function of tensors",
                    "Save the network in Python with model.save('model.keras').",
                )
            if loaded.preprocessing:
                raise expected(
                    "a network that gets images as they are",
                    f"{path} with the preprocessing {loaded.preprocessing} outside of it",
                    "Put that into the network, as layers in front, and save it again.",
                )
        return loaded.model

    def adaptation(self, train: Dataset) -> Adaptation:
        """Returns what the network takes and gives.

        Args:
          train: the training images.

        Raises:
          UserError: see `load` and `adapt`.
        """
        return adapt(self._built(self.load(), train), train, self.bounds)

    def network(self, train: Dataset, seed: int) -> keras.Model:
        """Returns the network with the weights that its training begins with.

        Args:
          train: the training images.
          seed: of new weights.

        Raises:
          UserError: see `load` and `clone`.
        """
        network = self._built(self.load(), train)
        if self.weights == "kept":
            return network
        try:
            return clone(network, seed)
        except UserError as error:
            raise UserError(error.complaint, "Pass --weights=kept.") from error

    def image_form(self) -> tuple[tuple[int, int] | None, int | None]:
        """Returns the (height, width) and the channels of its images; None where it takes any, or none can be told."""
        inputs = keras.tree.flatten(getattr(self.load(), "inputs", None) or [])
        shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
        if len(shape) != 3:
            return None, None
        height, width, channels = shape
        size = None if height is None or width is None else (height, width)
        return size, channels if channels in (1, 3) else None

    @staticmethod
    def _built(network: keras.Model, train: Dataset) -> keras.Model:
        if not network.built:
            network(np.zeros((1, *train.image_shape), np.float32))
        return network


@dataclasses.dataclass(frozen=True)
class UserSchedule(Schedule):
    """A schedule of a network of the user's, in place of `architecture`.

    Attributes:
      user_network: the network, with the range of its images.

    Raises:
      UserError: a precision other than float32.
    """

    user_network: UserNetwork = dataclasses.field(kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        if self.precision != "float32":
            raise expected(
                "precision float32 with a network of your own, whose layers have theirs",
                self.precision,
                "Leave out --precision.",
            )

    @staticmethod
    def of(schedule: Schedule, network: UserNetwork) -> UserSchedule:
        """Returns a schedule for a network."""
        fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
        return UserSchedule(**fields, user_network=network)

    @property
    def network_name(self) -> str:
        """Stem of the network's file."""
        return self.user_network.name

    @property
    def bounds(self) -> Bounds:
        """Range of the images that the network takes."""
        return self.user_network.bounds or UNIT

    def network(self, train: Dataset, seed: int) -> keras.Model:
        """Returns the network of the file; see `UserNetwork.network`."""
        return self.user_network.network(train, seed)


def notes(adaptation: Adaptation) -> list[str]:
    """Returns lines on what a network takes, for a user who has not said it."""
    lines = list(adaptation.notes)
    if adaptation.is_assumed:
        lines.append(
            "nothing in it says which range it takes: it gets images from 0 to 1; if it is to take others, pass --bounds, "
            "such as --bounds=-1,1"
        )
    return lines


def flags_of(model: pathlib.Path, bounds: Bounds) -> str:
    """Returns the flags with which other commands take the trained network."""
    low, high = bounds
    return f"--model={model}" + ("" if bounds == UNIT else f" --bounds={low:g},{high:g}")
