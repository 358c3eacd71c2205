"""Attacks that are parameters of other attacks, as objects or in text form."""

from typing import Any

from tfinv import specs
from tfinv.attacks.base import Attack


def attack(spec: str | Attack, **defaults: Any) -> Attack:
    """Returns an attack unchanged, or builds it from its text form, such as `pgd(steps=10)`.

    Args:
      spec: the attack, or its text form.
      **defaults: values of fields that the text form leaves out; those that the attack lacks are ignored.

    Raises:
      UserError: see `specs.build`.
    """
    if isinstance(spec, Attack):
        return spec
    from tfinv.attacks import ATTACKS  # not above: the attacks in it import this module

    return specs.build(ATTACKS, spec, **defaults)
