"""Adversarial attacks: frozen dataclasses of hyper-parameters that are called on a classifier.

Each attack family has a file of its own (`fgsm`, `pgd`, `momentum`, `apgd`, `fab`, `fmn`, `deepfool`, `carlini_wagner`, `ead`,
`square`, `boundary`, `hopskipjump`, `noise`, `transfer`), and `combination` runs several attacks. The families share base classes
(`base`, `gradient`, `penalty`, `decision`), their data (`problem`, `checkpoint`) and parts of their algorithms (`steps`,
`apgd_step`, `bumps`, `losses`, `crossing`, `hyperplane`, `fields`, `nested`).
"""

from collections.abc import Mapping
from typing import Any

from tfinv import catalogue, specs
from tfinv.attacks.apgd import APGD, APGDT
from tfinv.attacks.base import Attack
from tfinv.attacks.boundary import Boundary
from tfinv.attacks.carlini_wagner import CarliniWagner
from tfinv.attacks.combination import AutoAttack, WorstCase, worst_case
from tfinv.attacks.deepfool import DeepFool
from tfinv.attacks.ead import EAD
from tfinv.attacks.fab import FAB
from tfinv.attacks.fgsm import FGSM, NFGSM, RFGSM
from tfinv.attacks.fmn import FMN
from tfinv.attacks.hopskipjump import HopSkipJump
from tfinv.attacks.losses import LOSSES
from tfinv.attacks.momentum import DIFGSM, MIFGSM, TIFGSM
from tfinv.attacks.noise import Noise
from tfinv.attacks.pgd import BIM, PGD
from tfinv.attacks.problem import AttackResult
from tfinv.attacks.square import Square
from tfinv.attacks.transfer import Transfer
from tfinv.catalogue import Registry

ATTACKS: Mapping[str, type[Attack]] = Registry(catalogue.ATTACKS)


def attack(spec: str, **defaults: Any) -> Attack:
    """Makes an attack from its text form, such as `pgd(eps=8/255,steps=40,restarts=5)`.

    Raises:
      UserError: see `specs.build`.
    """
    return specs.build(ATTACKS, spec, **defaults)


__all__ = [
    "APGD",
    "APGDT",
    "ATTACKS",
    "BIM",
    "DIFGSM",
    "EAD",
    "FAB",
    "FGSM",
    "FMN",
    "LOSSES",
    "MIFGSM",
    "NFGSM",
    "PGD",
    "RFGSM",
    "TIFGSM",
    "Attack",
    "AttackResult",
    "AutoAttack",
    "Boundary",
    "CarliniWagner",
    "DeepFool",
    "HopSkipJump",
    "Noise",
    "Square",
    "Transfer",
    "WorstCase",
    "attack",
    "worst_case",
]
