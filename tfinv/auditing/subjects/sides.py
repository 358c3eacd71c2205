"""`Sides`: images that a model was trained on, and images that it was not, with their places in the data set."""

import dataclasses

import numpy as np

from tfinv.comparison.membership.pool import Loader, Part, join, load_parts, overlap
from tfinv.comparison.membership.targets import check_members
from tfinv.datasets import Dataset
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True, eq=False)
class Sides:
    """Members and non-members of a training set.

    Attributes:
      examples: n images, the members first.
      members: (n,) bool.
      splits: (n,) names of their splits.
      rows: (n,) places in these.
      parts: of the data set; empty for images without one.
    """

    examples: Dataset
    members: np.ndarray
    splits: np.ndarray
    rows: np.ndarray
    parts: tuple[Part, ...] = ()

    def __post_init__(self):
        check_members(self.members)

    @classmethod
    def of_parts(cls, members: list[str], nonmembers: list[str], load: Loader) -> "Sides":
        """Loads both by their parts of a data set, such as `train[:1000]`.

        Raises:
          UserError: see `load_parts`; or both have images in common.
        """
        inside, outside = load_parts(members, load, "--members"), load_parts(nonmembers, load, "--nonmembers")
        if shared := overlap([*inside[0], *outside[0]]):
            raise expected("members and non-members without common images", shared, "Change --members or --nonmembers.")
        parts = (*inside[0], *outside[0])
        return cls._make(inside[1], outside[1], parts)

    @classmethod
    def of_datasets(cls, members: Dataset, nonmembers: Dataset) -> "Sides":
        """Takes two data sets of the same form."""
        parts = [Part(data.split, 0, len(data)) for data in (members, nonmembers)]
        sides = cls._make(members, nonmembers, tuple(parts))
        return dataclasses.replace(sides, parts=())

    @classmethod
    def _make(cls, inside: Dataset, outside: Dataset, parts: tuple[Part, ...]) -> "Sides":
        return cls(
            join([inside, outside]),
            np.arange(len(inside) + len(outside)) < len(inside),
            np.concatenate([np.full(len(part), part.split) for part in parts]),
            np.concatenate([np.arange(part.start, part.start + len(part)) for part in parts]),
            parts,
        )

    def first(self, most: int) -> "Sides":
        """Returns the first of the members and of the non-members, at most so many of each."""
        chosen = np.concatenate([np.flatnonzero(side)[:most] for side in (self.members, ~self.members)])
        if len(chosen) == len(self.members):
            return self
        arrays = {name: getattr(self, name)[chosen] for name in ("members", "splits", "rows")}
        return dataclasses.replace(self, examples=self.examples.subset(chosen), **arrays)
