"""Model inversion: reconstructing what a class looks like from the classifier alone; one file a family."""

from typing import Any

from tfinv import specs
from tfinv.inversion.base import Inversion, InversionResult, invert
from tfinv.inversion.gradient import Gradient
from tfinv.inversion.losses import LOSSES
from tfinv.inversion.miface import MIFace
from tfinv.inversion.starts import STARTS

METHODS: dict[str, type[Inversion]] = {"gradient": Gradient, "miface": MIFace}


def method(spec: str, **defaults: Any) -> Inversion:
    """Makes a method from its text form, such as `gradient(loss=logit,steps=200)`.

    Raises:
      UserError: see `specs.build`.
    """
    return specs.build(METHODS, spec, **defaults)


__all__ = [
    "LOSSES",
    "METHODS",
    "STARTS",
    "Gradient",
    "Inversion",
    "InversionResult",
    "MIFace",
    "invert",
    "method",
]
