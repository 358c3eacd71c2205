"""Parts of a data set, such as `train[:1000]`, and the pool of examples that shadow models are trained on."""

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np

from tfinv.datasets import Dataset
from tfinv.errors import UserError, expected

# Loads a split, or the first so many images of it.
Loader = Callable[[str, int | None], Dataset]

_FORM = re.compile(r"(\w+)(?:\[(\d*):(\d*)\])?")


@dataclasses.dataclass(frozen=True)
class Part:
    """Consecutive images of a split.

    Attributes:
      split: its name.
      start: number of the first image.
      stop: number after the last; None for the split's end, before it is loaded.
    """

    split: str
    start: int = 0
    stop: int | None = None

    @classmethod
    def parse(cls, text: str, flag: str) -> "Part":
        """Reads `train`, `train[:1000]`, `train[1000:]` or `train[1000:2000]`.

        Raises:
          UserError: it is none of these; the error says to change the flag.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise expected("a split or a part of one, such as train[:1000]", repr(text), f"Change {flag}.")
        start, stop = int(match[2] or 0), int(match[3]) if match[3] else None
        if stop is not None and start >= stop:
            raise expected("a part with an image", text, f"Change {flag}.")
        return cls(match[1], start, stop)

    def __str__(self) -> str:
        return f"{self.split}[{self.start}:{'' if self.stop is None else self.stop}]"

    def __len__(self) -> int:
        assert self.stop is not None
        return self.stop - self.start


def load_parts(texts: Sequence[str], load: Loader, flag: str) -> tuple[tuple[Part, ...], Dataset]:
    """Loads parts of a data set, one after another.

    Args:
      texts: of the parts, see `Part.parse`.
      load: a function of a split and a number of images, or None for all.
      flag: to change where they can't be loaded.

    Returns:
      The parts, each with a stop, and their images.

    Raises:
      UserError: see `Part.parse` and `datasets.load`; a part beyond its split, or two that overlap.
    """
    parts, pieces = list[Part](), list[Dataset]()
    for part in (Part.parse(text, flag) for text in texts):
        try:
            split = load(part.split, part.stop)
        except UserError as error:
            if error.hint != "Change --split.":
                raise
            raise UserError(error.complaint, f"Change {flag}.") from error
        stop = len(split) if part.stop is None else part.stop
        if stop > len(split) or part.start >= stop:
            raise expected(f"a part of the {len(split)} images of {part.split}", part, f"Change {flag}.")
        parts.append(dataclasses.replace(part, stop=stop))
        pieces.append(split if (part.start, stop) == (0, len(split)) else split.subset(np.arange(part.start, stop)))
    if shared := overlap(parts):
        raise expected("parts without common images", shared, f"Change {flag}.")
    return tuple(parts), join(pieces)


def overlap(parts: Sequence[Part]) -> str:
    """The first two parts with images in common, for an error; "" if there are none."""
    for i, part in enumerate(parts):
        for other in parts[:i]:
            if part.split == other.split and part.start < (other.stop or 0) and other.start < (part.stop or 0):
                return f"{other} and {part}"
    return ""


def join(pieces: Sequence[Dataset]) -> Dataset:
    """One data set of several of the same form, in their order."""
    if len(pieces) == 1:
        return pieces[0]
    pixels = np.concatenate([np.asarray(piece.pixels) for piece in pieces])
    labels = np.concatenate([piece.labels for piece in pieces])
    notes = tuple(dict.fromkeys(note for piece in pieces for note in piece.notes))
    split = " and ".join(dict.fromkeys(piece.split for piece in pieces))
    return dataclasses.replace(pieces[0], split=split, pixels=pixels, labels=labels, notes=notes)


def first(parts: Sequence[Part], count: int) -> tuple[Part, ...]:
    """The parts of the first so many images."""
    cut = []
    for part in parts:
        size = min(len(part), count)
        if size:
            cut.append(dataclasses.replace(part, stop=part.start + size))
        count -= size
    return tuple(cut)


def positions(parts: Sequence[Part], pool: Sequence[Part], flag: str) -> np.ndarray:
    """Places of images in a pool, (n,) int64.

    Args:
      parts: of these images.
      pool: its parts, without common images.
      flag: to change where an image is not among them.

    Raises:
      UserError: an image is not in the pool.
    """
    places = []
    for part in parts:
        numbers, before = np.full(len(part), -1), 0
        for other in pool:
            low, high = max(part.start, other.start), min(part.start + len(part), other.start + len(other))
            if other.split == part.split and low < high:
                numbers[low - part.start : high - part.start] = before + np.arange(low, high) - other.start
            before += len(other)
        if (numbers < 0).any():
            within = " and ".join(map(str, pool))
            raise expected(f"images of {within}, on which the shadows were queried", part, f"Change {flag}.")
        places.append(numbers)
    return np.concatenate(places)
