"""Outliers of the losses that a training left: which of its examples are at risk."""

import dataclasses

import numpy as np

from tfinv.errors import expected
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence


@dataclasses.dataclass(frozen=True)
class Trajectory(MembershipAttack):
    """LT-IQR, the range of an example's losses over the epochs (Pollock et al. 2025): Q(high) - Q(low) of its loss trace.

    An outsider has no such losses: whoever trained the target ranks its training examples by it. One whose loss fell late and far
    was learnt by heart, and is the likeliest to be recognised by attacks with shadow models. The losses of non-members, where they
    were recorded, do not fall so far.

    Attributes:
      low: lower quantile, from 0 to 1.
      high: upper quantile, above `low`.
    """

    low: float = 0.25
    high: float = 0.75

    def __post_init__(self):
        if not 0 <= self.low < self.high <= 1:
            raise expected(
                "quantiles with 0 <= low < high <= 1",
                f"{self.low} and {self.high}",
                "Change the argument `low` or `high`.",
            )

    def check_needs(self, evidence: Evidence) -> None:
        """Raises UserError if there are no losses of two epochs at least."""
        epochs = 0 if evidence.trajectory is None else evidence.trajectory.shape[1]
        if epochs < 2:
            hint = "Pass Evidence(trajectory=...), the losses of the examples after each epoch."
            raise expected("losses of two epochs at least for Trajectory", epochs or "none", hint)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the difference of the two quantiles."""
        assert evidence.trajectory is not None
        low, high = np.quantile(evidence.trajectory, [self.low, self.high], axis=1)
        return high - low
