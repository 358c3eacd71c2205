"""Attacks named inside the text form of another attack."""

from typing import Any

from tfinv import specs
from tfinv.attacks.base import Attack


def attack(given: str | Attack, **defaults: Any) -> Attack:
    """The attack itself, or the one of a text form such as `pgd(steps=10)`.

    Args:
      given: either.
      **defaults: fields of an attack in text form that the text leaves open, as far as it has them.

    Raises:
      UserError: see `specs.build`.
    """
    if isinstance(given, Attack):
        return given
    from tfinv.attacks import ATTACKS  # of which the attacks that nest are members themselves

    return specs.build(ATTACKS, given, **defaults)
