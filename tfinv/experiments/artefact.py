"""The artefact that yields the poster's flat line, reproduced on purpose: never an evaluation.

The perturbation of FGSM is added to 0..255 images as if eps, a fraction, were a number of grey levels, and the result is cast
to uint8. The cast truncates: whatever eps in (0, 1), a pixel loses one grey level or keeps its value, so the accuracy is the
same for .05, .10 and .25.
"""

import dataclasses

import numpy as np

from tfinv.attacks import FGSM
from tfinv.attacks.problem import Problem, StageResult


@dataclasses.dataclass(frozen=True)
class GreyLevelFGSM(FGSM):
    """FGSM whose eps, a fraction of the bounds, is read as grey levels, and whose images are cast to uint8."""

    def perturb(self, problem: Problem) -> StageResult:
        """Adds the sign of the gradient, times eps grey levels, and truncates."""
        result, classifier = super().perturb(problem), problem.classifier
        sign = np.sign(result.images - problem.images)
        grey = classifier.to_unit(problem.images) * 255.0 + self.eps * sign
        truncated = np.clip(grey, 0.0, 255.0).astype(np.uint8)
        return dataclasses.replace(result, images=classifier.from_unit(truncated / 255.0))
