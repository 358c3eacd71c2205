"""RMIA, the robust membership inference attack."""

import dataclasses
import math
from typing import ClassVar

import numpy as np
from scipy import stats

from tfinv.attacks.fields import check_number, check_positive
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.confidences import confidences
from tfinv.membership.shadows.reading import check_queries

# Slope a of p_in = a p_out + 1 - a: of few references, and of so many or more.
_FEW, _MANY, _MANY_FROM = 0.3, 0.6, 8


@dataclasses.dataclass(frozen=True)
class RMIA(MembershipAttack):
    """Share of other examples z that x outdoes (Zarifzadeh et al. 2024, arXiv 2312.03262, section 3 and algorithm 1).

    Pr_z[(p(x | target) / p(x)) / (p(z | target) / p(z)) > gamma], with the label's probability p. Online, p(x) is the mean of
    those inside and outside, each averaged by itself: the mean of all references depends on how many of them were trained on x,
    and where the target was one of a balanced set, that number tells who its members are. Offline, p(x) is
    ((1 + a) p_out + 1 - a) / 2. Between two z, examples are ranked by their own ratio, which adds less than 1 / (z + 1). The
    logarithms of several queries' ratios are averaged. The authors' code, ml_privacy_meter, has gamma = 1, and is equal up to the
    ranks; LeakPro's divides the logits by a temperature of 2 first, and adds 1e-6 to p(x), neither of which is done here.

    Attributes:
      online: use the shadows that were trained on an example, too, and not only the others.
      a: slope of the line p_in = a p_out + 1 - a; None for .3, and .6 from 8 shadows on.
      gamma: how many times the ratio of z that of x must be.
      population: at most so many z: examples of `Evidence.population` if that has logits and shadows, else of the evidence itself.
      queries: use the first so many queries; None for all. Augmented queries help only if the target was trained with them.
    """

    SHADOWS: ClassVar[bool] = True
    LEAST_SHADOWS: ClassVar[int] = 1

    online: bool = True
    a: float | None = None
    gamma: float = 2.0
    population: int = 10_000
    queries: int | None = None

    def __post_init__(self):
        if self.a is not None:
            check_number(self, "from 0 to 1", lambda x: 0 <= x <= 1, "a")
        check_number(self, "of at least 1", lambda x: x >= 1, "gamma")
        check_positive(self, "population")
        check_queries(self.queries)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the shares, (n,), in (0, 1)."""
        ratios = self.log_ratios(evidence)
        order = np.argsort(ratios)
        x = z = ratios[order]  # sorted, so that what is drawn does not depend on the order of the examples
        others = evidence.population
        if others is not None and others.logits is not None and others.shadows is not None:
            z = np.sort(self.log_ratios(others, required=False))
        if len(z) > self.population:
            z = np.sort(np.random.default_rng(evidence.seed).choice(z, self.population, replace=False))
        beaten = np.searchsorted(z, x - math.log(self.gamma))  # a fraction of the time for x in any order
        scores = np.empty(len(x))
        scores[order] = (beaten + stats.rankdata(x) / (len(x) + 1)) / (len(z) + 1)
        return scores

    def log_ratios(self, evidence: Evidence, required: bool = True) -> np.ndarray:
        """log p(x | target) - log p(x), averaged over queries, (n,) float64.

        Args:
          evidence: with logits and shadows.
          required: whether some examples must be inside of a shadow's training set, online.

        Raises:
          UserError: see `reading.chunks`, or no shadow to compare with.
        """
        assert evidence.shadows is not None
        a = self.a
        if a is None:
            a = _MANY if evidence.shadows.size >= _MANY_FROM else _FEW
        summary = confidences(evidence, self.queries)
        summary.require(self.online and required)
        inside, outside = summary.filled(a)
        reference = inside.mix(outside, 0.5) if self.online else outside.toward_certainty((1 + a) / 2)
        return (summary.target - reference.log()).mean(axis=1)
