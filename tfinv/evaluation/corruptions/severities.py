"""Strengths of the corruptions, by severity and image size.

The benchmark has two sets of constants: CIFAR-10-C's for images of 32 pixels, ImageNet-C's for 224 (Hendrycks and Dietterich 2019,
"Benchmarking neural network robustness to common corruptions and perturbations"; make_cifar_c.py and make_imagenet_c.py of
hendrycks/robustness, with which these agree). Between these sizes a strength is
interpolated on a logarithmic scale of both; smaller images have that of 32. Above 224 pixels lengths grow with the size, and all
else stays. So images of 28 x 28 are corrupted as CIFAR-10-C is, those of 224 x 224 as ImageNet-C.
"""

import dataclasses
import math
from collections.abc import Mapping

from tfinv.errors import expected

SEVERITIES = (1, 2, 3, 4, 5)
_SMALL, _LARGE = 32, 224  # pixels of the shorter side


@dataclasses.dataclass(frozen=True)
class Strength:
    """One constant of a corruption.

    Attributes:
      cifar: by severity, for images of 32 pixels.
      imagenet: by severity, for images of 224 pixels.
      length: whether it is a number of pixels.
    """

    cifar: tuple[float, ...]
    imagenet: tuple[float, ...]
    length: bool = False

    def at(self, severity: int, side: int) -> float:
        """Returns the constant.

        Args:
          severity: 1 to 5.
          side: the shorter side of the image, in pixels.

        Raises:
          UserError: another severity.
        """
        if severity not in SEVERITIES:
            raise expected("a severity from 1 to 5", severity, "Change `severity`.")
        small, large = self.cifar[severity - 1], self.imagenet[severity - 1]
        share = math.log(min(max(side, _SMALL), _LARGE) / _SMALL) / math.log(_LARGE / _SMALL)
        return small ** (1 - share) * large**share * (max(1.0, side / _LARGE) if self.length else 1.0)


# By the name of the corruption, which is that of the benchmark, the constants that its function takes. Ten of its fifteen: frost
# needs photographs of frost; snow, glass, elastic and zoom blur are slow or close to others.
CORRUPTIONS: Mapping[str, tuple[Strength, ...]] = {
    "gaussian_noise": (Strength((0.04, 0.06, 0.08, 0.09, 0.1), (0.08, 0.12, 0.18, 0.26, 0.38)),),
    "shot_noise": (Strength((500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),),
    "impulse_noise": (Strength((0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)),),
    # CIFAR-10-C's radii below 1 rest on a smoothed disc: these radii of an antialiased disc blur as much.
    "defocus_blur": (Strength((0.7, 0.85, 1.0, 1.2, 1.6), (3, 4, 6, 8, 10), length=True),),
    "motion_blur": (
        Strength((6, 6, 6, 8, 9), (10, 15, 15, 15, 20), length=True),
        Strength((1, 1.5, 2, 2, 2.5), (3, 5, 8, 12, 15), length=True),
    ),
    "fog": (
        Strength((0.2, 0.5, 0.75, 1, 1.5), (1.5, 2, 2.5, 2.5, 3)),
        Strength((3, 3, 2.5, 2, 1.75), (2, 2, 1.7, 1.5, 1.4)),
    ),
    "brightness": (Strength((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),),
    "contrast": (Strength((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),),
    "pixelate": (Strength((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),),
    "jpeg_compression": (Strength((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),),
}
