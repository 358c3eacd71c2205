"""Base class of all membership attacks: hyper-parameters, what they need, and the scores that they give."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from tfinv.errors import expected
from tfinv.membership.evidence import Evidence

Needs = Literal["labels", "logits", "images"]
_TRAIN_SHADOWS = "Train some with `tfinv shadows`, and pass --shadows=DIR or Evidence(shadows=...)."


@dataclasses.dataclass(frozen=True)
class MembershipAttack:
    """Hyper-parameters of a membership attack. A family implements `compute`.

    Attributes:
      NEEDS: what the attack asks of the target: "labels", its predictions; "logits"; or "images", to query the target itself.
      SHADOWS: whether it needs reference models.
      LEAST_SHADOWS: how many it needs, at least.
    """

    NEEDS: ClassVar[Needs] = "logits"
    SHADOWS: ClassVar[bool] = False
    LEAST_SHADOWS: ClassVar[int] = 0

    def score(self, evidence: Evidence) -> np.ndarray:
        """Scores every example: the higher, the likelier it is a member of the training set.

        Returns:
          (n,) float64, finite. Equal scores can't be told apart; whoever counts them must not resolve them for the attacker.

        Raises:
          UserError: the evidence lacks what the attack needs.
        """
        self.check_needs(evidence)
        scores = np.asarray(self.compute(evidence), np.float64)
        if scores.shape != (len(evidence),) or not np.isfinite(scores).all():
            raise ArithmeticError(f"{type(self).__name__} gave scores of shape {scores.shape} that are not all finite")
        return scores

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the scores, (n,), of evidence that has what the attack needs."""
        raise NotImplementedError

    def check_needs(self, evidence: Evidence) -> None:
        """Raises UserError if the evidence lacks what the attack needs."""
        name = type(self).__name__
        if self.NEEDS == "labels" and evidence.predictions is None:
            raise expected(f"predictions of the target for {name}", "none", "Pass Evidence(predictions=...).")
        if self.NEEDS == "logits" and evidence.logits is None:
            hint = "Pass Evidence(logits=...), or use gap, boundary or agreement, which need labels only."
            raise expected(f"logits of the target for {name}", "none", hint)
        if self.NEEDS == "images" and (evidence.classifier is None or evidence.images is None):
            absent = "no classifier" if evidence.classifier is None else "no images"
            hint = "Pass Evidence(classifier=..., images=...)."
            raise expected(f"the target and its images for {name}, which queries it", absent, hint)
        if self.SHADOWS and evidence.shadows is None:
            raise expected(f"shadow models for {name}", "none", _TRAIN_SHADOWS)
        if self.SHADOWS and evidence.shadows is not None and evidence.shadows.size < self.LEAST_SHADOWS:
            count = evidence.shadows.size
            raise expected(f"at least {self.LEAST_SHADOWS} shadow models for {name}", count, _TRAIN_SHADOWS)
