"""Label-only attack by agreement: how often the label survives small changes of the image."""

import dataclasses
from typing import ClassVar

import numpy as np

from tfinv.errors import expected
from tfinv.membership import queries
from tfinv.membership.base import MembershipAttack, Needs
from tfinv.membership.evidence import Evidence


@dataclasses.dataclass(frozen=True)
class Agreement(MembershipAttack):
    """Share of the image and its augmented copies that the target predicts as the label (Choquette-Choo et al. 2021).

    The paper trains a classifier on the right and wrong predictions of the copies; their share needs no shadow model. It has as
    many levels as there are copies, and many examples are tied at 1. The pixels that a shift brings in are at the lower bound, as
    those of the training augmentation are.

    Attributes:
      shift: pixels that copies are moved by, in all 4 shift directions of that city-block distance; 0 for none.
      mirror: whether the mirrored image is a copy, too. Say so only of a target that was trained with mirrored images: others take
        it for another image, member or not.
    """

    NEEDS: ClassVar[Needs] = "images"

    shift: int = 1
    mirror: bool = False

    def __post_init__(self):
        if isinstance(self.shift, bool) or not isinstance(self.shift, int) or self.shift < 0:
            raise expected("shift as a whole number of at least 0", self.shift, "Change the argument `shift`.")
        if not (self.shift or self.mirror):
            raise expected("a shift of at least 1, or mirror=True", "neither", "Change the argument `shift`.")

    def compute(self, evidence: Evidence) -> np.ndarray:
        """Returns the share of right predictions, from 0 to 1."""
        classifier, images = evidence.classifier, evidence.images
        assert classifier is not None
        assert images is not None
        images, labels = classifier.validate(images, evidence.labels)
        if self.shift >= min(images.shape[1:3]):
            raise expected(
                f"a shift below the images' {min(images.shape[1:3])} pixels", self.shift, "Change the argument `shift`."
            )
        hits, count = np.zeros(len(labels)), 0
        for copy in queries.copies(images, self.shift, self.mirror, classifier.bounds[0]):
            hits += classifier.predict(copy, evidence.batch_size).argmax(axis=-1) == labels
            count += 1
        return hits / count
