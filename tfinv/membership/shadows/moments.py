"""Moments of the shadows' margins, apart for shadows that were trained on an example and for those that were not."""

import dataclasses

import numpy as np

from tfinv.errors import expected
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.reading import chunks


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """Margins of one kind of shadows: those trained on the example, or the others.

    Attributes:
      counts: (n,) float64, such shadows of each example.
      means: (n, Q) float64 means over them, 0 where there is none.
      squares: (n, Q) float64 sums of squared deviations from them.
    """

    counts: np.ndarray
    means: np.ndarray
    squares: np.ndarray

    @property
    def total_mean(self) -> np.ndarray:
        """Mean over all examples and shadows, (Q,)."""
        return (self.counts[:, np.newaxis] * self.means).sum(axis=0) / self.counts.sum()

    @property
    def total_variance(self) -> np.ndarray:
        """Variance over all examples and shadows, (Q,): within the examples and between them."""
        between = self.counts[:, np.newaxis] * (self.means - self.total_mean) ** 2
        return (self.squares + between).sum(axis=0) / self.counts.sum()


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Margins of the target, (n, Q), and the moments of the shadows that were trained on each example, and of the others."""

    target: np.ndarray
    inside: Side
    outside: Side

    def require(self, online: bool) -> None:
        """Raises UserError if no example is outside of a shadow's training set, or, online, none is inside."""
        check_sides(self.inside.counts, self.outside.counts, online)

    def filled(self) -> tuple[np.ndarray, np.ndarray]:
        """Means inside and outside, (n, Q) each, without a gap.

        Random halves leave some examples inside all shadows, or outside of all. There, the missing mean is the other one, shifted
        by the mean difference of the two over the examples that have both. Neither depends on the target.
        """
        has_in, has_out = self.inside.counts > 0, self.outside.counts > 0
        both = has_in & has_out
        shift = np.zeros(self.target.shape[1])
        if both.any():
            shift = (self.inside.means[both] - self.outside.means[both]).mean(axis=0)
        inside = np.where(has_in[:, np.newaxis], self.inside.means, self.outside.means + shift)
        outside = np.where(has_out[:, np.newaxis], self.outside.means, self.inside.means - shift)
        return inside, outside


def moments(evidence: Evidence, queries: int | None = None) -> Moments:
    """Reads all margins once; six numbers of each example and query stay in memory.

    Raises:
      UserError: see `reading.chunks`.
    """
    assert evidence.logits is not None
    n, count = len(evidence), queries or evidence.logits.shape[1]
    target = np.empty((n, count))
    inside, outside = (Side(np.empty(n), np.empty((n, count)), np.empty((n, count))) for _ in range(2))
    for rows, target_margins, margins, members in chunks(evidence, queries):
        target[rows] = target_margins
        for side, weights in ((inside, members), (outside, ~members)):
            side.counts[rows], side.means[rows], side.squares[rows] = _sums(margins, weights.astype(np.float64))
    return Moments(target, inside, outside)


def check_sides(inside: np.ndarray, outside: np.ndarray, online: bool) -> None:
    """Checks that there is something to compare the target with.

    Args:
      inside: (n,) number of shadows trained on each example.
      outside: (n,) number of the others.
      online: whether the attack uses both.

    Raises:
      UserError: there is not.
    """
    if not outside.any():
        raise expected(
            "shadows that were not trained on the examples", "none", "Train shadows on random halves of them."
        )
    if online and not inside.any():
        raise expected("shadows that were trained on the examples", "none", "Set online=False, or train such shadows.")


def _sums(margins, weights):
    """Counts (r,), means (r, Q) and squared deviations (r, Q) of margins (r, S, Q) with weights (r, S) of 0 and 1."""
    counts = weights.sum(axis=1)
    means = np.einsum("rsq,rs->rq", margins, weights) / np.maximum(counts, 1)[:, np.newaxis]
    deviations = margins - means[:, np.newaxis]
    return counts, means, np.einsum("rsq,rs->rq", np.square(deviations, out=deviations), weights)
