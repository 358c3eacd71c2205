"""`Shadows`: reference models whose training sets are known, as attacks see them: margins and logits of the same examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tfinv.errors import expected
from tfinv.membership.signals import margin


class Source(Protocol):
    """An array in memory or on disk, of which rows are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Some of its rows."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shadows:
    """A view on S reference models and n examples.

    Attributes:
      members: (n, S) bool, whether the example was in the training set of the shadow.
      labels: (n,) int64 true classes.
      sources: of each shadow its logits, (N, Q, K); the view has n of the N rows.
      margin_sources: of each shadow the margins (N, Q) of its logits, or None where they are to be computed.
      pairs: (S,) position of the shadow that was trained on exactly the other examples, or -1.
      indices: (n,) rows of the sources; None for all.
    """

    members: np.ndarray
    labels: np.ndarray
    sources: Sequence[Source]
    margin_sources: Sequence[Source | None]
    pairs: np.ndarray
    indices: np.ndarray | None = None

    @classmethod
    def from_arrays(cls, logits: Any, members: Any, labels: Any) -> Shadows:
        """Shadows whose logits are in memory.

        Args:
          logits: (S, n, Q, K), or (S, n, K) for one query.
          members: (n, S) of 0 and 1.
          labels: (n,) true classes.

        Raises:
          UserError: shapes that don't fit, labels beyond the classes, logits that are not finite.
        """
        values = np.asarray(logits, np.float32)
        if values.ndim == 3:
            values = values[:, :, np.newaxis]
        if values.ndim != 4:
            raise expected("logits of shape (shadows, examples, queries, classes)", values.shape, "Change logits=.")
        membership, classes = member_table(members), label_array(labels)
        shape = (values.shape[1], values.shape[0])
        if membership.shape != shape or len(classes) != shape[0]:
            received = f"members {membership.shape}, labels {classes.shape}"
            raise expected(f"members {shape} and labels ({shape[0]},)", received, "Change members= or labels=.")
        if classes.max(initial=0) >= values.shape[-1]:
            raise expected(f"labels below {values.shape[-1]}", int(classes.max()), "Change labels=.")
        if not np.isfinite(values).all():
            raise expected("finite logits", "NaN or infinity", "Change logits=.")
        return cls(membership, classes, list(values), [None] * len(values), complements(membership))

    @property
    def size(self) -> int:
        """Number of shadows."""
        return self.members.shape[1]

    @property
    def queries(self) -> int:
        """Number of queries of each example, of which the first is the image itself."""
        return self.sources[0].shape[1]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.sources[0].shape[2]

    def margins(self, rows: slice, queries: int | None = None) -> np.ndarray:
        """Margins of some examples, in float64; see `signals.margin`.

        Args:
          rows: range of the view's examples.
          queries: the first so many; None for all.

        Returns:
          (r, S, Q).

        Raises:
          UserError: logits that are not finite.
        """
        labels, numbers = self.labels[rows], self._numbers(rows)
        # Each shadow's margins are written in one piece; the attacks add up over shadows, which is fast in this order, too.
        values = np.empty((self.size, len(labels), queries or self.queries))
        for i, (source, stored) in enumerate(zip(self.sources, self.margin_sources, strict=True)):
            if stored is not None:
                values[i] = stored[numbers][:, :queries]
            else:
                values[i] = margin(np.asarray(source[numbers], np.float32)[:, :queries], labels)
        if not np.isfinite(values.sum()):  # margins are far from where a sum would overflow
            bad = int(np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))[0])
            raise expected(
                "finite logits of every shadow", f"NaN or infinity of shadow {bad}", "Make its logits again."
            )
        return np.moveaxis(values, 0, 1)

    def logits(self, shadow: int, rows: Any) -> np.ndarray:
        """Logits of one shadow for some examples, (r, Q, K) float32.

        Args:
          shadow: its position.
          rows: a slice, or indices of the view's examples.
        """
        return np.asarray(self.sources[shadow][self._numbers(rows)], np.float32)

    def without(self, indices: Sequence[int]) -> Shadows:
        """A view without the shadows at some positions."""
        rest = np.setdiff1d(np.arange(self.size), np.asarray(indices, np.int64))
        places = np.full(self.size + 1, -1)  # the last stays -1: the place of what has no complement
        places[rest] = np.arange(len(rest))
        return dataclasses.replace(
            self,
            members=self.members[:, rest],
            sources=[self.sources[i] for i in rest],
            margin_sources=[self.margin_sources[i] for i in rest],
            pairs=places[self.pairs[rest]],
        )

    def rows(self, indices: Any) -> Shadows:
        """A view on some of the examples, in the order of the indices."""
        numbers = np.arange(len(self.labels))[np.asarray(indices)]
        return dataclasses.replace(
            self,
            members=self.members[numbers],
            labels=self.labels[numbers],
            indices=numbers if self.indices is None else self.indices[numbers],
        )

    def _numbers(self, rows):
        return rows if self.indices is None else self.indices[rows]


def complements(members: np.ndarray) -> np.ndarray:
    """Positions of the complements: (n, S) members to (S,), -1 where no shadow was trained on exactly the other examples.

    Each shadow is in one pair at most, whatever number of them had the same half.
    """
    pairs = np.full(members.shape[1], -1)
    waiting: dict[bytes, list[int]] = {}
    columns = np.ascontiguousarray(members.T)
    halves, others = np.packbits(columns, axis=1), np.packbits(~columns, axis=1)
    for i in range(members.shape[1]):
        half, other = halves[i].tobytes(), others[i].tobytes()
        if waiting.get(other):
            j = waiting[other].pop(0)
            pairs[i], pairs[j] = j, i
        else:
            waiting.setdefault(half, []).append(i)
    return pairs


def member_table(members: Any) -> np.ndarray:
    """Members as (n, S) bool.

    Raises:
      UserError: another number of axes, or values other than 0 and 1.
    """
    array = np.asarray(members)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        received = f"{array.dtype} of shape {array.shape}"
        raise expected("members of shape (examples, shadows), of 0 and 1", received, "Change the members.")
    return array.astype(bool)


def label_array(labels: Any) -> np.ndarray:
    """Labels as (n,) int64.

    Raises:
      UserError: another number of axes, or values that are no classes.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min(initial=0) < 0:
        raise expected("labels as integers from 0, (n,)", f"{array.dtype} of shape {array.shape}", "Change the labels.")
    return array.astype(np.int64)
