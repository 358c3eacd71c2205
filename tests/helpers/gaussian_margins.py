"""Margins of a target and its shadows drawn from Gaussians, where the optimal membership attack is known."""

import dataclasses

import numpy as np

from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.shadows import Shadows


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """Margins N(inside, scale) of members and N(outside, scale) of others, of n examples."""

    inside: np.ndarray
    outside: np.ndarray
    scale: np.ndarray

    def draw(self, generator, members):
        """Margins (m, n) of m models with members (n, m)."""
        means = np.where(members.T, self.inside, self.outside)
        return means + self.scale * generator.standard_normal(means.shape)


def model(generator, n, gap=2.0, level=0.0, between=3.0, scale=1.0):
    """Examples that differ among each other more than by membership."""
    outside = level + between * generator.standard_normal(n)
    return Model(outside + gap, outside, np.broadcast_to(np.asarray(scale, float), n))


def halves(generator, n, shadows):
    """Members (n, shadows) in complementary pairs: 2i and 2i + 1."""
    first = generator.permuted(np.arange(n)[:, np.newaxis].repeat(shadows // 2, axis=1), axis=0) < n // 2
    return np.stack([first, ~first], axis=2).reshape(n, shadows)


def logits(margins):
    """Logits of two classes with these margins of class 0: (...) to (..., 2) float32."""
    return np.stack([margins, np.zeros_like(margins)], axis=-1).astype(np.float32)


def shadows(margins, members):
    """Shadows with margins (S, n) or (S, n, Q)."""
    values = logits(margins)
    return Shadows.from_arrays(values, members, np.zeros(len(members), np.int64))


def evidence(target, references):
    """Evidence with margins (n,) or (n, Q) of the target."""
    return Evidence(np.zeros(len(target), np.int64), logits=logits(np.asarray(target)), shadows=references)


def tpr(scores, members, fpr):
    """True positives at a false positive rate, by steps; ties are resolved against the attacker."""
    others = np.sort(scores[~members])[::-1]
    return float(np.mean(scores[members] > others[int(fpr * len(others))]))


def auc(scores, members):
    """Probability that a member scores higher than another example; a tie counts half."""
    others = np.sort(scores[~members])
    below = np.searchsorted(others, scores[members], "left") + np.searchsorted(others, scores[members], "right")
    return float(below.mean() / (2 * len(others)))
