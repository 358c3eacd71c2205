"""Scores of membership attacks on targets, whole or absent in a workdir, and the rows that they give."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv import files
from tfinv.comparison.membership.targets import Target, stand_ins
from tfinv.errors import UserError
from tfinv.evaluation.membership.measure import measure
from tfinv.evaluation.membership.risk import by_group
from tfinv.membership import Evidence, MembershipAttack, membership_attack

Arrays = dict[str, np.ndarray]
# Calls a function once, and keeps the arrays that it returns under a name: `Workdir.arrays`.
Keep = Callable[[str, Callable[[], Arrays]], Arrays]

# Shadows that are taken as targets to set thresholds; each has as many non-members as the target, or half.
_STAND_INS = 4


@dataclasses.dataclass(frozen=True, eq=False)
class AttackScores:
    """Scores of one attack on one target.

    Attributes:
      attack: its text form.
      target: name of the target.
      scores: (n,) float64, higher for what is likelier a member.
      members: (n,) bool.
      shadow_nonmembers: scores of non-members of shadows in the target's place; None where no shadow can be.
    """

    attack: str
    target: str
    scores: np.ndarray
    members: np.ndarray
    shadow_nonmembers: np.ndarray | None = None

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the members, and of the non-members."""
        return self.scores[self.members], self.scores[~self.members]

    def rows(self, experiment: str, seed: int) -> list[dict[str, Any]]:
        """Rows of kind "membership" of all measures, see `measure`."""
        measured = measure(*self.sides, seed=seed, shadow_nonmembers=self.shadow_nonmembers)
        return [row | self._keys(experiment) for row in measured]

    def class_rows(self, experiment: str, classes: Sequence[str], seed: int) -> list[dict[str, Any]]:
        """Rows of each class, of which (n,) is that of each example; see `by_group`."""
        names = np.asarray(classes)
        groups = names[self.members], names[~self.members]
        return [row | self._keys(experiment) for row in by_group(*self.sides, *groups, seed=seed)]

    def _keys(self, experiment):
        return {"experiment": experiment, "attack": self.attack, "target": self.target}


def check_attacks(attacks: Sequence[str], evidence: Evidence) -> None:
    """Raises UserError if an attack does not exist, or the evidence lacks what it needs."""
    for spec in attacks:
        membership_attack(spec).check_needs(evidence)


def default_attacks(evidence: Evidence) -> list[str]:
    """Text forms of the attacks that an evaluation makes unless told otherwise, of those that the evidence is enough for."""
    names = ["gap", "confidence", "modified_entropy", "loss", "lira", "rmia"]
    return [name for name in names if _is_possible(membership_attack(name), evidence)]


def reads_scores(spec: str) -> bool:
    """Whether the attack of a text form reads what a model said, and does not query the model by itself."""
    return membership_attack(spec).NEEDS != "images"


def score(spec: str, target: Target, keep: Keep) -> AttackScores:
    """Scores the examples of a target, unless they have been scored before.

    Args:
      spec: text form of the attack.
      target: the model.
      keep: see `Keep`.

    Raises:
      UserError: see `MembershipAttack.score`.
    """
    attack = membership_attack(spec)

    def make() -> Arrays:
        arrays = {"scores": attack.score(target.evidence)}
        thresholds = _shadow_nonmembers(attack, target.evidence)
        return arrays if thresholds is None else arrays | {"shadow_nonmembers": thresholds}

    arrays = keep(f"scores-{files.slug(f'{spec}-{target.name}')}", make)
    return AttackScores(spec, target.name, arrays["scores"], target.members, arrays.get("shadow_nonmembers"))


def score_other(spec: str, target: Target, logits: np.ndarray, name: str, keep: Keep) -> AttackScores:
    """Scores the examples by another model's logits in the target's place: a null target, or an overfitted twin.

    Args:
      spec: text form of an attack that queries no model by itself.
      target: whose members, shadows and images are taken.
      logits: (n, Q, K) of the other model.
      name: of the other model.
      keep: see `Keep`.
    """
    evidence = dataclasses.replace(target.evidence, logits=logits, predictions=None, classifier=None)
    arrays = keep(
        f"{name}-{files.slug(f'{spec}-{target.name}')}", lambda: {"scores": membership_attack(spec).score(evidence)}
    )
    return AttackScores(spec, name, arrays["scores"], target.members)


def _shadow_nonmembers(attack: MembershipAttack, evidence: Evidence) -> np.ndarray | None:
    """Scores of the non-members of shadows, by the attack on these; None where it can't be made on a shadow."""
    if evidence.shadows is None or attack.NEEDS == "images":
        return None
    scores = [
        attack.score(part)[~members]
        for members, part in stand_ins(evidence, _STAND_INS)
        if _is_possible(attack, part) and not members.all()
    ]
    return np.concatenate(scores) if scores else None


def _is_possible(attack: MembershipAttack, evidence: Evidence) -> bool:
    try:
        attack.check_needs(evidence)
    except UserError:
        return False
    return True
