"""BASE, the loss with a threshold for each example."""

import dataclasses
from typing import ClassVar

import numpy as np

from tfinv.attacks.fields import check_number
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows.confidences import confidences
from tfinv.membership.shadows.reading import check_queries


@dataclasses.dataclass(frozen=True)
class BASE(MembershipAttack):
    """Loss below the threshold of the Bayes-optimal attack (Lassila et al. 2025, arXiv 2505.24089; Sablayrolles et al. 2019).

    Online: -loss(x | target) - log E exp(-loss(x | shadow)) at temperature 1, where the expectation is the mean of those inside and
    outside, each averaged by itself, as `RMIA` explains. Up to ties it ranks as RMIA does (Lassila et al. 2025). Offline the
    expectation is over the shadows outside, and its logarithm, too high a bar for their lack, is multiplied by `scale`.

    LeakPro's implementation differs in two points: its temperature is 2 by default, and its online expectation the mean of all
    shadows, which is the same where as many are inside as outside.

    Attributes:
      online: use the shadows that were trained on an example, too, and not only the others.
      scale: of the offline threshold; .33 is that of the attack's implementation in LeakPro.
      queries: use the first so many queries; None for all. Augmented queries help only if the target was trained with them.
    """

    SHADOWS: ClassVar[bool] = True
    LEAST_SHADOWS: ClassVar[int] = 1

    online: bool = True
    scale: float = 0.33
    queries: int | None = None

    def __post_init__(self):
        check_number(self, "from 0 to 1", lambda x: 0 <= x <= 1, "scale")
        check_queries(self.queries)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the differences, (n,)."""
        summary = confidences(evidence, self.queries)
        summary.require(self.online)
        inside, outside = summary.filled(1.0)
        threshold = inside.mix(outside, 0.5).log() if self.online else self.scale * outside.log()
        return (summary.target - threshold).mean(axis=1)
