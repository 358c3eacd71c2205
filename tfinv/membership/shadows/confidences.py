"""Mean confidences of shadows in the label, apart for those that were trained on an example and the others."""

import dataclasses

import numpy as np
from scipy import special

from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.moments import check_sides
from tfinv.membership.shadows.reading import chunks


@dataclasses.dataclass(frozen=True, eq=False)
class Confidence:
    """Probabilities of the label, both near 0 and near 1 to full precision.

    Attributes:
      label: (n, Q) float64 p.
      others: (n, Q) float64 1 - p, by itself: a difference from 1 has lost what tells good models' examples apart.
    """

    label: np.ndarray
    others: np.ndarray

    def mix(self, other: "Confidence", weight: float) -> "Confidence":
        """Weighted mean: `weight` of this one, the rest of the other."""
        label = weight * self.label + (1 - weight) * other.label
        return Confidence(label, weight * self.others + (1 - weight) * other.others)

    def toward_certainty(self, weight: float) -> "Confidence":
        """Weighted mean with probability 1: `weight` of this one."""
        return Confidence(weight * self.label + (1 - weight), weight * self.others)

    def log(self) -> np.ndarray:
        """Logarithm of the label's probability, (n, Q)."""
        smallest = np.finfo(np.float64).tiny
        low = np.log(np.maximum(self.label, smallest))
        return np.where(self.others < 0.5, np.log1p(-np.minimum(self.others, 0.5)), low)


@dataclasses.dataclass(frozen=True, eq=False)
class Confidences:
    """Confidences of target and shadows.

    Attributes:
      target: (n, Q) log-probability of the label.
      inside: mean over the shadows that were trained on the example; 0 where there is none.
      outside: mean over the others.
      counts: (n, 2) numbers of shadows inside and outside.
    """

    target: np.ndarray
    inside: Confidence
    outside: Confidence
    counts: np.ndarray

    def require(self, online: bool) -> None:
        """Raises UserError if there is nothing to compare with."""
        check_sides(self.counts[:, 0], self.counts[:, 1], online)

    def filled(self, a: float) -> tuple[Confidence, Confidence]:
        """Means inside and outside without a gap.

        An example that no shadow was trained on has p_in = a p_out + 1 - a, as RMIA has it (Zarifzadeh et al. 2024); one that
        all were trained on has p_out = p_in. Neither depends on the target.
        """
        has_in, has_out = (self.counts > 0).T[..., np.newaxis]
        line = self.outside.toward_certainty(a)
        return _choose(has_in, self.inside, line), _choose(has_out, self.outside, self.inside)


def confidences(evidence: Evidence, queries: int | None = None) -> Confidences:
    """Reads all margins once; seven numbers of each example stay in memory.

    Raises:
      UserError: see `reading.chunks`.
    """
    assert evidence.logits is not None
    n, count = len(evidence), queries or evidence.logits.shape[1]
    target, counts = np.empty((n, count)), np.empty((n, 2))
    inside, outside = (Confidence(np.empty((n, count)), np.empty((n, count))) for _ in range(2))
    for rows, target_margins, margins, members in chunks(evidence, queries):
        target[rows] = special.log_expit(target_margins)
        # Of a mean near 0 or 1 the signed minority is all that is left, unrounded: sums of p and of 1 - p need but one array.
        minority, wrong = _signed_minority(margins), np.signbit(margins)
        counts[rows, 0], below_inside = _count(members), _count(wrong & members[..., np.newaxis])
        counts[rows, 1], below_outside = members.shape[1] - counts[rows, 0], _count(wrong) - below_inside
        for side, weights, below in ((0, members, below_inside), (1, ~members, below_outside)):
            count = counts[rows, side, np.newaxis]
            total = np.einsum("rsq,rs->rq", minority, weights.astype(np.float64))
            result = (inside, outside)[side]
            result.label[rows] = (count - below - total) / np.maximum(count, 1)
            result.others[rows] = (below + total) / np.maximum(count, 1)
    return Confidences(target, inside, outside, counts)


def _count(flags):
    """Number of true flags of each example, (r, ...) float64; a sum of bytes takes a fraction of the time of one of booleans."""
    return np.add.reduce(flags.view(np.uint8), axis=1, dtype=np.uint16).astype(np.float64)


def _signed_minority(margins):
    """min(p, 1 - p) with the sign of the margin log(p / (1 - p)): 1 - p where it is positive, else -p."""
    values = np.abs(margins)
    with np.errstate(over="ignore"):  # beyond e^709 the minority is 0
        np.exp(values, out=values)
    values += 1
    return np.copysign(np.reciprocal(values, out=values), margins, out=values)


def _choose(condition, first, second):
    label = np.where(condition, first.label, second.label)
    return Confidence(label, np.where(condition, first.others, second.others))
