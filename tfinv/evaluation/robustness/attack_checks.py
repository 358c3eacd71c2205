"""Checks of a robustness evaluation by attacks whose outcome is known beforehand (Carlini et al. 2019, section 4)."""

import dataclasses

import numpy as np
from scipy import stats

from tfinv.attacks import PGD, Attack
from tfinv.classifier import Classifier
from tfinv.evaluation.check import Check, percent

_NO_GRADIENT = "not run: the classifier has no gradients"


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample of the evaluation's images, for the checks that attack.

    Attributes:
      classifier: under test.
      images: (n, H, W, C) in its bounds.
      labels: (n,).
      seed: of the attacks.
      batch_size: examples in one compiled call.
    """

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray
    seed: int = 0
    batch_size: int = 256

    def withstands(self, attack: Attack, *, seed_offset: int = 0) -> np.ndarray:
        """Returns (n,) bool: the image is classified right, also under the attack; an offset gives the attack other draws."""
        seed = self.seed + seed_offset
        result = attack(self.classifier, self.images, self.labels, seed=seed, batch_size=self.batch_size)
        return ~result.success

    def take(self, rows: np.ndarray) -> "Sample":
        """Returns the sample of these rows."""
        parts = {name: getattr(self, name)[rows] for name in ("images", "labels")}
        return dataclasses.replace(self, **parts)


def unbounded_reaches_zero(sample: Sample) -> Check:
    """Checks that PGD with an unlimited budget brings the accuracy to 0."""
    low, high = sample.classifier.bounds
    attack = PGD(eps=high - low, steps=60, restarts=3)
    left = float(np.mean(sample.withstands(attack))) if sample.classifier.differentiable else None
    return Check(
        "unbounded-attack-reaches-zero",
        None if left is None else left == 0.0,
        _NO_GRADIENT
        if left is None
        else f"{percent(left)} of {len(sample.labels)} images withstand PGD ({attack.steps} steps, {attack.restarts} restarts) "
        "that may change every pixel to anything",
        "Any image can become one of another class when every pixel may change, so what is left withstands because the gradient "
        "does not lead there. Report no robust accuracy until a stronger attack (more steps, another loss, black-box) agrees.",
    )


def half_range_beats_guessing(sample: Sample, steps: int = 40) -> Check:
    """Checks that at L-inf eps of half the bounds' width, where every image can become grey, accuracy is that of guessing."""
    low, high = sample.classifier.bounds
    evidence, passed = _NO_GRADIENT, None
    if sample.classifier.differentiable:
        right, n = int(sample.withstands(PGD(eps=(high - low) / 2, steps=steps)).sum()), len(sample.labels)
        # All grey, a model can be right for one class only.
        guess = np.bincount(sample.labels).max() / n
        passed = bool(stats.binomtest(right, n, guess, alternative="greater").pvalue >= 0.01)
        evidence = (
            f"{percent(right / n)} of {n} images withstand PGD ({steps} steps) at half the range; guessing the most frequent class "
            f"is right for {percent(guess)}"
        )
    return Check(
        "half-range-beats-guessing",
        passed,
        evidence,
        "At this eps all images can be made one and the same grey, so what is left above guessing withstands because the attack "
        "fails. Try more steps, restarts and another loss, and an attack without gradients, before you quote any figure.",
    )
