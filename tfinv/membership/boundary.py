"""Label-only attack by the distance to the decision boundary."""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from tfinv import attacks
from tfinv.attacks import Attack
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.membership.base import MembershipAttack, Needs
from tfinv.membership.evidence import Evidence

# Defaults for targets without and with gradients. The latter are no label-only attack, but reach the same distance for less.
_FROM_LABELS = "hopskipjump(queries=500,evaluations=50)"
_FROM_GRADIENTS = "fmn(steps=50)"
_WRONG = -1.0


@dataclasses.dataclass(frozen=True)
class BoundaryDistance(MembershipAttack):
    """Distance to the nearest misclassified image (Choquette-Choo et al. 2021; Li and Zhang 2021): members lie deeper.

    The score is the distance that an attack for the smallest perturbation finds, as a share of the bounds' width. It is -1 where
    the image itself is misclassified, and the distance between opposite corners of the bounds where no misclassified image is
    found.

    Attributes:
      attack: text form of an attack of `tfinv.attacks` that searches for the smallest perturbation, in L2 unless it says
        otherwise; None for `fmn` where the target has gradients, else for `hopskipjump`, which needs labels only.
    """

    NEEDS: ClassVar[Needs] = "images"

    attack: str | None = None

    def __post_init__(self):
        if self.attack is not None:
            _build(self.attack)

    def attack_on(self, classifier: Classifier) -> Attack:
        """Returns the attack that measures the distances of a target."""
        return _build(self.attack or (_FROM_GRADIENTS if classifier.differentiable else _FROM_LABELS))

    def check_needs(self, evidence: Evidence) -> None:
        """Raises UserError if the evidence lacks the target or its images, or the target what the attack needs."""
        super().check_needs(evidence)
        assert evidence.classifier is not None
        self.attack_on(evidence.classifier).check_needs(evidence.classifier)

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the distances, with -1 for misclassified images."""
        classifier, images = evidence.classifier, evidence.images
        assert classifier is not None
        assert images is not None
        attack = self.attack_on(classifier)
        result = attack(
            classifier, images, evidence.labels, seed=evidence.seed, batch_size=evidence.batch_size, rows=evidence.rows
        )
        distances = np.where(result.success, result.distances, attack.radius(classifier))
        wrong = result.success & (result.distances == 0)
        return np.where(wrong, _WRONG, distances / (classifier.bounds[1] - classifier.bounds[0]))


def _build(text: str) -> Attack:
    """The attack of a spec, without a limit of the distance unless it sets one, which is refused."""
    hint = "Change the argument `attack`."
    attack = attacks.attack(text, norm="l2", eps=math.inf)
    if not attack.minimal or math.isfinite(attack.eps):
        raise expected("an attack for the smallest perturbation, without eps, such as fmn or hopskipjump", text, hint)
    if attack.targeted:
        raise expected("an untargeted attack", text, hint)
    return attack
