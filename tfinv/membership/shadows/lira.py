"""LiRA, the likelihood ratio attack."""

import dataclasses
from typing import ClassVar

import numpy as np

from tfinv.errors import expected
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.moments import moments
from tfinv.membership.shadows.reading import check_queries
from tfinv.membership.shadows.variances import VARIANCES, default_variance, variances


@dataclasses.dataclass(frozen=True)
class LiRA(MembershipAttack):
    """Likelihood ratio of Gaussians that are fitted to each example's margins (Carlini et al. 2022, algorithm 1).

    Online, the score is log N(m; mu_in, s_in) - log N(m; mu_out, s_out) of the target's margin m. Offline it is one-sided,
    z = (m - mu_out) / s_out, which ranks as the authors' 1 - Pr[N(mu_out, s_out) > m] does, but does not end at 1 where that is 8.3
    deviations away. Several queries of an example are averaged.

    Means are those of algorithm 1, as in LeakPro, which the variance "fixed" equals. The authors' plot.py has medians instead, and
    fixes both deviations at that inside; offline it has the density, which is two-sided.

    Attributes:
      online: use the shadows that were trained on an example, too, and not only the others.
      variance: "pooled", "shrunk", "per_example" or "fixed", see `variances.variances`; None for pooled below 16 shadows and
        shrunk from there on.
      queries: use the first so many queries; None for all. Augmented queries help only if the target was trained with them.
    """

    SHADOWS: ClassVar[bool] = True
    LEAST_SHADOWS: ClassVar[int] = 2

    online: bool = True
    variance: str | None = None
    queries: int | None = None

    def __post_init__(self):
        if self.variance is not None and self.variance not in VARIANCES:
            raise expected(f"a variance among {', '.join(VARIANCES)}", repr(self.variance), "Change variance=.")
        check_queries(self.queries)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns log-likelihood ratios, or z offline, (n,)."""
        assert evidence.shadows is not None
        summary = moments(evidence, self.queries)
        summary.require(self.online)
        kind = self.variance or default_variance(evidence.shadows.size)
        inside, outside = summary.filled()
        variance_out = variances(summary.outside, kind)
        z_out = (summary.target - outside) / np.sqrt(variance_out)
        if not self.online:
            return z_out.mean(axis=1)
        variance_in = variances(summary.inside, kind)
        z_in = (summary.target - inside) / np.sqrt(variance_in)
        return 0.5 * (z_out**2 - z_in**2 + np.log(variance_out) - np.log(variance_in)).mean(axis=1)
