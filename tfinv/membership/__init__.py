"""Membership inference: scores of whether a model was trained on an example, one file a family of attacks."""

from collections.abc import Mapping
from typing import Any

from tfinv import catalogue, specs
from tfinv.catalogue import Registry
from tfinv.membership.base import MembershipAttack
from tfinv.membership.evidence import Evidence

MEMBERSHIP: Mapping[str, type[MembershipAttack]] = Registry(catalogue.MEMBERSHIP)


def membership_attack(spec: str, **defaults: Any) -> MembershipAttack:
    """Makes a membership attack from its text form, such as `confidence(per_class=True)`.

    Raises:
      UserError: see `specs.build`.
    """
    return specs.build(MEMBERSHIP, spec, **defaults)


__all__ = ["MEMBERSHIP", "Evidence", "MembershipAttack", "membership_attack"]
