"""Combinations of attacks: AutoAttack, and the worst case over any set. Each attack gets the images still robust."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from tfinv import specs
from tfinv.attacks import nested
from tfinv.attacks.apgd import APGD, APGDT
from tfinv.attacks.base import Attack
from tfinv.attacks.fab import FAB
from tfinv.attacks.square import Square
from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class WorstCase(Attack):
    """Worst case over a set of attacks, run one after the other on the images that are still robust; see `worst_case`.

    Attributes:
      members: the attacks, or their text form, such as "fgsm,pgd(steps=10)". Their eps, norm and targeted are replaced by those of
        the combination.
    """

    NORMS = ("linf", "l2", "l1")

    members: str | tuple[Attack, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        if not self.members:
            raise expected("at least one attack", "none", "Change the argument `members`.")
        _ = self.parts

    @property
    def parts(self) -> tuple[Attack, ...]:
        """The members with the eps, norm and targeted of the combination.

        Raises:
          UserError: a member does not support the norm, or targeted=True.
        """
        model: dict[str, Any] = {"eps": self.eps, "norm": self.norm, "targeted": self.targeted}
        members = specs.parse_list(self.members) if isinstance(self.members, str) else self.members
        return tuple(dataclasses.replace(nested.attack(m), **model) for m in members)

    @property
    def needs(self) -> str:
        """The most access to the classifier that a member needs."""
        return next(need for need in ("gradients", "scores", "labels") if any(p.needs == need for p in self.parts))

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns the stages of all members."""
        return [stage for part in self.parts for stage in part.stages(classifier)]

    def check_needs(self, classifier: Classifier) -> None:
        """Raises UserError if the classifier lacks the access that a member needs."""
        for part in self.parts:
            part.check_needs(classifier)


def worst_case(attacks: Sequence[Attack]) -> WorstCase:
    """Returns the worst case of several attacks with one eps and norm: an image is robust if no attack fools the classifier.

    Args:
      attacks: in the order in which they run. The cheapest should come first, since each attack gets only the images that
        the earlier ones left robust.

    Raises:
      UserError: there are no attacks, or their threat models differ.
    """
    models = {(a.eps, a.norm, a.targeted) for a in attacks}
    if len(models) != 1:
        raise expected("attacks of one eps and norm", f"{len(models)} kinds", "Change eps= or norm= of the attacks.")
    eps, norm, targeted = models.pop()
    return WorstCase(eps=eps, norm=norm, targeted=targeted, members=tuple(attacks))


@dataclasses.dataclass(frozen=True)
class AutoAttack(Attack):
    """AutoAttack, standard version (Croce and Hein 2020, section 5): APGD-CE, APGD-T, FAB-T and Square.

    Its parameters are the numbers of steps, queries and targets, which only tests should change. With fewer than ten classes,
    APGD-T and FAB-T take all other classes as targets.

    Attributes:
      steps: of each gradient attack.
      queries: of Square.
      n_targets: of APGD-T and FAB-T.
    """

    TARGETED = False
    NORMS = ("linf", "l2")
    PARTS: ClassVar[tuple[str, ...]] = ("APGD-CE", "APGD-T", "FAB-T", "Square")

    steps: int = 100
    queries: int = 5000
    n_targets: int = 9

    def __post_init__(self):
        super().__post_init__()
        _ = self.parts

    @property
    def parts(self) -> tuple[Attack, ...]:
        """The four attacks."""
        threat: dict[str, Any] = {"eps": self.eps, "norm": self.norm}
        return (
            APGD(**threat, steps=self.steps),
            APGDT(**threat, steps=self.steps, n_targets=self.n_targets),
            FAB(**threat, steps=self.steps, n_targets=self.n_targets),
            Square(**threat, queries=self.queries, rescale=False),
        )

    def stages(self, classifier: Classifier) -> Sequence[tuple[Attack, int]]:
        """Returns the stages of the four attacks."""
        return [stage for part in self.parts for stage in part.stages(classifier)]
