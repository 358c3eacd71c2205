"""Model inversion: reconstructs images of a class from the classifier alone.

The room has one file a method (`gradient`, `miface`, `miface_dae`, `projected`, `multiscale`, `laplacian`, `deepinversion`,
`network`, `gmi`, `plg`, `brep`), and beside them the parts that methods are put together from (`base`, `pipeline`, `problem`,
`knowledge`, `descent`, `step`, `recorder`, `losses`, `priors`, `optimisers`, `views`, `processing`, `starts`, `statistics`) and the
networks that an attacker trains (`auxiliary`, `vae`, `generative`, `denoising`).
"""

from collections.abc import Mapping
from typing import Any

from tfinv import catalogue, specs
from tfinv.catalogue import Registry
from tfinv.inversion.base import Inversion
from tfinv.inversion.brep import BREP
from tfinv.inversion.deepinversion import DeepInversion
from tfinv.inversion.gmi import GMI
from tfinv.inversion.gradient import Gradient
from tfinv.inversion.knowledge import Knowledge
from tfinv.inversion.laplacian import Laplacian
from tfinv.inversion.losses import LOSSES
from tfinv.inversion.miface import MIFace
from tfinv.inversion.miface_dae import MIFaceDAE
from tfinv.inversion.multiscale import Multiscale
from tfinv.inversion.network import Network
from tfinv.inversion.optimisers import OPTIMISERS
from tfinv.inversion.pipeline import InversionResult, check, invert
from tfinv.inversion.plg import PLG
from tfinv.inversion.problem import Course
from tfinv.inversion.projected import Projected
from tfinv.inversion.starts import STARTS

METHODS: Mapping[str, type[Inversion]] = Registry(catalogue.INVERSIONS)


def method(spec: str, **defaults: Any) -> Inversion:
    """Makes a method from its text form, such as `gradient(loss=logit,steps=200)`.

    Raises:
      UserError: see `specs.build`.
    """
    return specs.build(METHODS, spec, **defaults)


__all__ = [
    "BREP",
    "GMI",
    "LOSSES",
    "METHODS",
    "OPTIMISERS",
    "PLG",
    "STARTS",
    "Course",
    "DeepInversion",
    "Gradient",
    "Inversion",
    "InversionResult",
    "Knowledge",
    "Laplacian",
    "MIFace",
    "MIFaceDAE",
    "Multiscale",
    "Network",
    "Projected",
    "check",
    "invert",
    "method",
]
