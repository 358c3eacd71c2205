"""BaVarIA, LiRA with Bayesian variances."""

import dataclasses
from typing import ClassVar

import numpy as np
from scipy import special

from tfinv.attacks.fields import check_number, check_positive
from tfinv.errors import expected
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.moments import Side, check_sides, moments
from tfinv.membership.shadows.reading import check_queries

# Shape alpha of the prior, by form: that of Student's t has a variance from above 1 on.
_SHAPES = {"student": 2.0, "normal": 1.0}
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class BaVarIA(MembershipAttack):
    """Log-likelihood ratio of margins under normal-inverse-gamma priors (Brannvall 2026, arXiv 2603.11799).

    Means and variances of an example's margins inside and outside have a prior each: its mean is that of all margins of that side,
    and its variance theirs, beta = (alpha - 1) variance (alpha <= 1: beta = variance). "student" is the ratio of the posterior
    predictives, Student's t with 2 alpha_n degrees of freedom; "normal" that of Gaussians with the example's mean and the
    posterior's mean variance, beta_n / (alpha_n - 1). Offline, the side inside is the prior, and its margins inside are used for
    that alone. The scores of several queries are averaged.

    Attributes:
      form: "student" (BaVarIA-t) or "normal" (BaVarIA-n).
      online: use an example's own margins inside.
      kappa: weight of the prior mean, in shadows.
      alpha: shape of the prior; None for the author's 2 of "student" and 1 of "normal".
      queries: use the first so many queries; None for all. Augmented queries help only if the target was trained with them.
    """

    SHADOWS: ClassVar[bool] = True
    LEAST_SHADOWS: ClassVar[int] = 2

    form: str = "student"
    online: bool = True
    kappa: float = 1.0
    alpha: float | None = None
    queries: int | None = None

    def __post_init__(self):
        if self.form not in _SHAPES:
            raise expected(f"a form among {', '.join(_SHAPES)}", repr(self.form), "Change form=.")
        check_positive(self, "kappa")
        if self.alpha is not None:
            check_number(self, "above 0", lambda x: x > 0, "alpha")
        check_queries(self.queries)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns log-likelihood ratios, (n,)."""
        summary = moments(evidence, self.queries)
        # Offline, too: the prior of the side inside is made of margins inside.
        check_sides(summary.inside.counts, summary.outside.counts, online=True)
        inside = self._log_density(summary.target, summary.inside, self.online)
        outside = self._log_density(summary.target, summary.outside, True)
        return (inside - outside).mean(axis=1)

    def _log_density(self, target, side: Side, observed: bool):
        """Log-density of the target's margins on one side, (n, Q), up to a constant of both; the prior's unless observed."""
        alpha = _SHAPES[self.form] if self.alpha is None else self.alpha
        mean, variance = side.total_mean, np.maximum(side.total_variance, _TINY)
        beta = variance * (alpha - 1) if alpha > 1 else variance
        counts = side.counts[:, np.newaxis] * observed
        means = np.where(counts > 0, side.means, mean)
        kappa_n, alpha_n = self.kappa + counts, alpha + counts / 2
        beta_n = beta + 0.5 * side.squares * observed + 0.5 * self.kappa * counts * (means - mean) ** 2 / kappa_n
        if self.form == "normal":
            spread_n = np.where(alpha_n > 1, beta_n / np.where(alpha_n > 1, alpha_n - 1, 1), beta_n)
            return -0.5 * (np.log(spread_n) + (target - means) ** 2 / spread_n)
        centre = (self.kappa * mean + counts * means) / kappa_n
        scale = beta_n * (kappa_n + 1) / (alpha_n * kappa_n)
        constant = special.gammaln(alpha_n + 0.5) - special.gammaln(alpha_n) - 0.5 * np.log(alpha_n * scale)
        return constant - (alpha_n + 0.5) * np.log1p((target - centre) ** 2 / (2 * alpha_n * scale))
