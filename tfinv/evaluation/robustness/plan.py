"""Attacks and budgets of an evaluation, validated before anything is loaded or trained."""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from tfinv import specs
from tfinv.attacks import Attack
from tfinv.attacks import attack as make_attack
from tfinv.catalogue import CURVES
from tfinv.classifier import Classifier
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class AttackPlan:
    """Attacks, their budgets, and how they are run.

    Attributes:
      attacks: names and attacks; their own eps is replaced, and a step size is a fraction as eps is.
      eps: fractions of the bounds' width.
      curve: "independent" runs, one an eps, or "bisected", see `curves.attack_at_each`.
      seed: of the attacks' draws.
      batch_size: examples in one compiled call.

    Raises:
      UserError: an unknown `curve`, or see `check_budgets`.
    """

    attacks: tuple[tuple[str, Attack], ...]
    eps: tuple[float, ...]
    curve: str = "independent"
    seed: int = 0
    batch_size: int = 256

    def __post_init__(self):
        if self.curve not in CURVES:
            raise expected(f"a curve among {', '.join(CURVES)}", repr(self.curve), "Change --curve.")
        check_budgets(self.attacks, self.eps)

    @property
    def budgets(self) -> list[float]:
        """The eps above 0, each once, in ascending order."""
        return sorted({float(e) for e in self.eps if e != 0})

    def attack(self, name: str) -> Attack:
        """Returns the attack with this name."""
        return dict(self.attacks)[name]


def named_attacks(forms: Iterable[str]) -> list[tuple[str, Attack]]:
    """The names and attacks of an `AttackPlan`, from text forms as `tfinv.attacks.attack` takes them.

    Raises:
      UserError: an unknown attack or argument; a targeted attack, for which there are no targets; an eps, in place of which the
        attack would run at the curve's; a surrogate that does not exist.
    """
    attacks = []
    for form in forms:
        name, arguments = specs.parse(form)
        if "eps" in arguments:
            raise expected(f"{name} without an eps of its own", repr(form), "Give its budgets with --eps.")
        attack = make_attack(form)
        if attack.targeted:
            raise expected(f"{name} untargeted", repr(form), "Leave out targeted: any wrong class counts.")
        attack.check_files()
        # As the rows and files are called: a blank before the arguments would make it another attack.
        attacks.append((name + form[form.index("(") :].rstrip() if "(" in form else name, attack))
    return attacks


def check_budgets(attacks: Sequence[tuple[str, Attack]], eps: Sequence[float]) -> None:
    """Validates attacks and budgets before anything is trained or loaded for an evaluation.

    Args:
      attacks: names and attacks.
      eps: fractions of the bounds' width.

    Raises:
      UserError: two attacks of one name, an eps above 1 in L-inf, or one that an attack refuses.
    """
    if max(eps, default=0) > 1 and any(attack.norm == "linf" for _, attack in attacks):
        raise expected(
            "eps of at most 1 in linf, fractions of the bounds' width", max(eps), "Write --eps=8/255 for 8 grey levels."
        )
    if len({name for name, _ in attacks}) < len(attacks):
        raise expected("attacks of different names", ", ".join(name for name, _ in attacks), "Change --attacks.")
    for (_, attack), budget in itertools.product(attacks, eps):
        dataclasses.replace(attack, eps=float(budget))


def scale_eps(attack: Attack, fraction: float, classifier: Classifier) -> Attack:
    """The attack with its eps set to a fraction of the width of the classifier's bounds, of which its step size is one too.

    Raises:
      UserError: it contains another attack with a step size, which is in units of the bounds.
    """
    low, high = classifier.bounds
    if high - low != 1 and (parts := [part for part in attack.parts if _has_step_size(part)]):
        raise expected(
            f"attacks without step_size inside of another, for bounds {low:g} to {high:g}", parts[0], "Leave it out."
        )
    changes: dict[str, Any] = {"eps": fraction * (high - low)}
    if getattr(attack, "step_size", None) is not None:
        changes["step_size"] = attack.step_size * (high - low)  # type: ignore[attr-defined]
    return dataclasses.replace(attack, **changes)


def _has_step_size(attack: Attack) -> bool:
    return getattr(attack, "step_size", None) is not None or any(map(_has_step_size, attack.parts))
