"""`MembershipRisk`: after an epoch, how well the training images can be told from others."""

from typing import Any

import numpy as np

from tfinv.callbacks.measured import MeasuringCallback, some_images
from tfinv.classifier import Classifier
from tfinv.errors import expected
from tfinv.evaluation.membership.intervals import auc_interval
from tfinv.membership import Evidence, membership_attack

# Of the attacks those that need no more than the logits of the images, and are stronger than the gap of the accuracies.
_ATTACKS = ("loss", "modified_entropy")


class MembershipRisk(MeasuringCallback):
    """Adds the AUC of a membership attack to the logs of an epoch, as `val_membership_auc`; .5 is guessing.

    See `MeasuringCallback` for when it measures and where it has to stand. Callbacks that monitor it need mode="min". An attack
    without shadow models is a lower bound of the risk: audit the model that you choose with `tfinv membership` or `tfinv audit`.

    Args:
      members: images (m, H, W, C) in the bounds that the model is trained on, and their whole-number labels (m,) or (m, 1).
      nonmembers: likewise, of the same distribution, that it is not trained on.
      attack: "loss" (Yeom et al. 2018), or "modified_entropy" (Song and Mittal 2021).
      limit: number of images of each side, drawn at random once; None for all.
      every: number of epochs from one measurement to the next.
      batch_size: images in one compiled call.
      seed: of the choice of images.
      metric: name in the logs.
      **classifier: arguments of `Classifier.from_keras`, such as bounds=(0, 255).

    Raises:
      UserError: an unknown attack; a side without images, or labels that do not fit them; a `limit`, `every` or `batch_size` that
        is not positive. After the first epoch: images outside of the bounds, a model that is no image classifier.
    """

    def __init__(
        self,
        members: tuple[Any, Any],
        nonmembers: tuple[Any, Any],
        attack: str = "loss",
        *,
        limit: int | None = 500,
        every: int = 1,
        batch_size: int = 256,
        seed: int = 0,
        metric: str = "val_membership_auc",
        **classifier: Any,
    ):
        super().__init__(metric, every, classifier, batch_size)
        if attack not in _ATTACKS:
            raise expected(f"an attack among {', '.join(_ATTACKS)}", repr(attack), "Change `attack`.")
        self._attack = membership_attack(attack)
        self._sides = [
            some_images(*side, limit, seed, f"`{name}`")
            for name, side in (("members", members), ("nonmembers", nonmembers))
        ]

    def measure(self, classifier: Classifier) -> tuple[float, int, tuple[float, float]]:
        """Returns the AUC, the number of images of both sides, and DeLong's interval."""
        members, nonmembers = (self._score(classifier, *side) for side in self._sides)
        estimate = auc_interval(members, nonmembers)
        return estimate.value, len(members) + len(nonmembers), (estimate.low, estimate.high)

    def _score(self, classifier: Classifier, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        images, labels = classifier.validate(images, labels)
        return self._attack.score(Evidence(labels, logits=classifier.predict(images, self.batch_size)))
