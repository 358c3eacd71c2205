"""Adversarial attacks: frozen hyper-parameters that are called on a classifier; one file a family."""

from typing import Any

from tfinv import specs
from tfinv.attacks.base import Attack, AttackResult
from tfinv.attacks.gradient import FGSM, PGD
from tfinv.attacks.losses import LOSSES
from tfinv.attacks.noise import Noise

ATTACKS: dict[str, type[Attack]] = {"fgsm": FGSM, "pgd": PGD, "noise": Noise}


def attack(spec: str, **defaults: Any) -> Attack:
    """Makes an attack from its text form, such as `pgd(eps=8/255,steps=40,restarts=5)`.

    Raises:
      UserError: see `specs.build`.
    """
    return specs.build(ATTACKS, spec, **defaults)


__all__ = ["ATTACKS", "FGSM", "LOSSES", "PGD", "Attack", "AttackResult", "Noise", "attack"]
