"""Targets of membership attacks: a model of known members, or each shadow of a store in turn."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.comparison.shadow_models import query_logits
from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.membership import Evidence
from tfinv.membership.shadows import Shadows, ShadowStore

# With fewer non-members no measure says anything: ten of them leave the TPR at any low rate to a single one.
FEWEST_NONMEMBERS = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """A model under attack.

    Attributes:
      name: in rows.
      members: (n,) bool, who was in its training set.
      evidence: on the same examples, with the shadows that may be compared with it.

    Raises:
      UserError: no member, or too few non-members.
    """

    name: str
    members: np.ndarray
    evidence: Evidence

    def __post_init__(self):
        check_members(self.members)

    def held_out_hits(self, rows: np.ndarray) -> tuple[int, int]:
        """How many of the non-members among some rows are predicted right, and how many these are."""
        predictions, labels = self.evidence.predictions, self.evidence.labels
        rows = rows[~self.members[rows]]
        return 0 if predictions is None else int(np.sum(predictions[rows] == labels[rows])), len(rows)


def check_members(members: np.ndarray) -> None:
    """Raises UserError if there is no member, or if there are too few non-members."""
    if not members.any():
        raise expected("at least one member", f"none among {len(members)} examples", "Change --members.")
    if (outside := int(np.sum(~members))) < FEWEST_NONMEMBERS:
        raise expected(f"at least {FEWEST_NONMEMBERS} non-members", outside, "Change --nonmembers or --members.")


def evidence_of(
    classifier: Classifier,
    data: Dataset,
    shadows: Shadows | None = None,
    queries: Sequence[str] = (),
    *,
    batch_size: int = 256,
    seed: int = 0,
) -> Evidence:
    """All that a model gives away on some examples: logits, or labels where it has no scores.

    Args:
      classifier: the model.
      data: the examples.
      shadows: of the same examples.
      queries: augmented copies that the shadows were queried with, see `shadow_models.ShadowRecipe`.
      batch_size: images in one call.
      seed: of what an attack draws.
    """
    images = classifier.from_unit(data.images)
    logits = query_logits(classifier, data, queries) if classifier.scores else None
    predictions = None if classifier.scores else classifier.predict(images, batch_size).argmax(axis=-1)
    return Evidence(
        data.labels,
        logits=logits,
        predictions=predictions,
        classifier=classifier,
        images=images,
        shadows=shadows,
        batch_size=batch_size,
        seed=seed,
    )


def leave_one_out(store: ShadowStore, data: Dataset, *, seed: int = 0) -> Iterator[Target]:
    """Takes each shadow of a store in turn as the target, without itself and its complement among the references.

    Args:
      store: at least four shadows, or three of which none is another's complement.
      data: its examples.
      seed: of what an attack draws.

    Yields:
      The targets, "shadow 0" and so on.

    Raises:
      UserError: too few shadows, or see `Target`.
    """
    images = data.images
    for number, logits, shadows in store.leave_one_out():
        evidence = Evidence(store.labels, logits=logits, images=images, shadows=shadows, seed=seed)
        yield Target(f"shadow {number}", store.members[:, number], evidence)


def stand_ins(evidence: Evidence, most: int) -> Iterator[tuple[np.ndarray, Evidence]]:
    """Takes some of the shadows in the target's place, evenly spaced, to set thresholds as an attacker would.

    Args:
      evidence: with shadows.
      most: at most so many.

    Yields:
      (n,) bool, who was in its training set, and the evidence with its logits, without it and its complement among the shadows;
      nothing where that would leave no shadow.
    """
    shadows = evidence.shadows
    assert shadows is not None
    for number in np.unique(np.linspace(0, shadows.size - 1, min(most, shadows.size)).round().astype(int)).tolist():
        complement = int(shadows.pairs[number])
        rest = shadows.without([number] if complement < 0 else [number, complement])
        if rest.size:
            logits = shadows.logits(number, slice(None))
            changes: dict[str, Any] = {"logits": logits, "predictions": None, "classifier": None}
            changes |= {"trajectory": None, "shadows": rest}
            yield shadows.members[:, number], dataclasses.replace(evidence, **changes)
