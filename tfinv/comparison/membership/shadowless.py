"""Membership of training and test images by a model's confidence, for comparisons that train no shadow models."""

import dataclasses
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.comparison.membership.pool import join
from tfinv.comparison.membership.scoring import AttackScores
from tfinv.comparison.membership.targets import Target, evidence_of
from tfinv.datasets import Dataset
from tfinv.evaluation.check import Check
from tfinv.evaluation.membership import data_checks
from tfinv.membership import membership_attack

ATTACK = "confidence"


@dataclasses.dataclass(frozen=True, eq=False)
class Sides:
    """As many members as non-members, the same of every model that was trained on the same images.

    Attributes:
      members: drawn from the training images.
      nonmembers: drawn from images that no model was trained on.
    """

    members: Dataset
    nonmembers: Dataset

    @classmethod
    def draw(cls, training: Dataset, test: Dataset, most: int) -> "Sides":
        """Draws both, always alike: at most so many of each, and as many as there are of the fewer."""
        count = min(most, len(training), len(test))
        parts = [
            data.subset(np.sort(np.random.default_rng(0).permutation(len(data))[:count])) for data in (training, test)
        ]
        return cls(*parts)

    def checks(self) -> list[Check]:
        """Checks that the two differ in membership alone, and share no image."""
        inside, outside = self.members, self.nonmembers
        return [
            data_checks.members_and_nonmembers_alike(inside.images, outside.images, inside.labels, outside.labels),
            data_checks.members_disjoint(inside.images, outside.images),
        ]

    def rows(self, classifier: Classifier, label: str, seed: int) -> list[dict[str, Any]]:
        """Rows of kind "membership" of a model, attacked with one threshold on its confidence in the label.

        Args:
          classifier: the model.
          label: its name in rows.
          seed: of its training.
        """
        data = join([self.members, self.nonmembers])
        target = Target("model", np.arange(len(data)) < len(self.members), evidence_of(classifier, data, seed=seed))
        scores = membership_attack(ATTACK).score(target.evidence)
        return AttackScores(ATTACK, target.name, scores, target.members).rows(label, seed)
