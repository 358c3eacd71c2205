"""State of a repair beside the configuration: the caller's classes, and the notes that it leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any


class Unrepairable(Exception):
    """A part of a configuration, or of the weights, that has no counterpart in this Keras; the text names it."""


class UnknownClass(Unrepairable):
    """A class that neither Keras nor the caller has.

    Args:
      name: of the class.
    """

    def __init__(self, name: str):
        super().__init__(f"the layer {name}")
        self.name = name


class UnknownOperation(Unrepairable):
    """An operation of TensorFlow's that is in no table.

    Args:
      name: as the file has it.
    """

    def __init__(self, name: str):
        super().__init__(f"TensorFlow's operation {name}")


def plain_name(name: str) -> str:
    """The name of a layer without slashes, which Keras 3 does not allow."""
    return name.replace("/", "_")


@dataclasses.dataclass(frozen=True)
class Context:
    """A repair under way.

    Attributes:
      custom: names of the caller's classes and functions; their configurations stay as they are.
      notes: phrases about what was done, each once, in order.
      operations: names of TensorFlow's operations that were put in, each once, in order.
      substitute: makes the configuration that stands for a layer that can't be repaired, or None to refuse such layers.
    """

    custom: frozenset[str]
    notes: list[str] = dataclasses.field(default_factory=list)
    operations: list[str] = dataclasses.field(default_factory=list)
    substitute: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    @classmethod
    def of(cls, custom: Iterable[str]) -> Context:
        """A context of the names of custom objects, with packages ("Package>Name") or without."""
        return cls(frozenset(custom))

    def note(self, text: str) -> None:
        """Adds a phrase, unless it is there."""
        if text not in self.notes:
            self.notes.append(text)

    def phrases(self) -> tuple[str, ...]:
        """All notes, with one about the operations."""
        names = ", ".join(self.operations)
        return (*self.notes, *([f"TensorFlow's operations {names}"] if names else []))

    def is_custom(self, name: str) -> bool:
        """Whether the caller has a class or function of this name."""
        return name in self.custom or name.split(">")[-1] in self.custom
