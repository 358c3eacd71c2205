"""The rules of a sound evaluation (Carlini et al. 2019; Athalye et al. 2018), all of them, held against rows and classifier.

`row_checks` judges what was measured; `model_checks`, `gradient_check`, `attack_checks` and `standing_checks` probe the classifier.
docs/reading-a-report.md has a heading for each.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.evaluation import attack_checks, model_checks, row_checks, standing_checks
from tfinv.evaluation.check import Check
from tfinv.evaluation.gradient_check import gradient_matches_differences


@dataclasses.dataclass(frozen=True)
class Effort:
    """What the checks that probe the classifier may cost.

    Attributes:
      images: how many are attacked, spread evenly over all.
      steps: of PGD at half the range.
      queries: of Square, an image.
      draws: of random noise, an image. The 10,000 that are usual would take a small convolutional network minutes for a few
        hundred images (it makes some 12,000 predictions a second on two cores), and on the few images that fit into 20 seconds
        a finding of 1 % could not be told from chance.
      minimal_steps: of the attack for the smallest perturbation; 0 leaves it out.
    """

    images: int = 100
    steps: int = 20
    queries: int = 50
    draws: int = 30
    minimal_steps: int = 0


QUICK = Effort()
THOROUGH = Effort(images=300, steps=40, queries=1000, draws=1000, minimal_steps=100)

# Images for what needs no more: repeated predictions, and gradients.
_FEW, _SOME = 32, 100


def robustness_checks(
    rows: Sequence[row_checks.Row],
    classifier: Classifier,
    images: Any,
    labels: np.ndarray,
    *,
    seed: int = 0,
    batch_size: int = 256,
    effort: Effort = QUICK,
) -> list[Check]:
    """All checks of one experiment's rows of kind "accuracy".

    Args:
      rows: of one classifier and seed.
      classifier: that they are of.
      images: (n, H, W, C) in its bounds: an array, or what has a length and gives arrays for slices.
      labels: (n,).
      seed: of the attacks that probe.
      batch_size: examples in one compiled call.
      effort: how much they may cost.
    """
    low, high = classifier.bounds
    sample = _sample(classifier, images, labels, effort.images, seed, batch_size)
    standing = standing_checks.left_standing(rows, sample)
    few, some = _spread(len(sample.labels), _FEW), sample.take(_spread(len(sample.labels), _SOME))
    return [
        row_checks.accuracy_falls(rows),
        row_checks.perturbation_uses_budget(rows, high - low),
        row_checks.pgd_at_least_fgsm(rows),
        row_checks.noise_weaker_than_fgsm(rows),
        row_checks.white_box_at_least_black_box(rows),
        row_checks.zero_gradients(rows),
        model_checks.input_range(classifier, sample.images),
        model_checks.logits_are_known(classifier, sample.images, batch_size),
        model_checks.predictions_are_deterministic(classifier, sample.images[few]),
        gradient_matches_differences(classifier, some.images, some.labels, seed=seed, batch_size=batch_size),
        attack_checks.unbounded_reaches_zero(sample),
        attack_checks.half_range_beats_guessing(sample, effort.steps),
        standing_checks.more_steps_change_nothing(standing),
        standing_checks.losses_agree(standing),
        standing_checks.noise_finds_nothing_new(standing, effort.draws),
        standing_checks.black_box_finds_nothing_new(standing, effort.queries),
        standing_checks.minimal_attack_finds_nothing_nearer(standing, effort.minimal_steps),
    ]


def _spread(n, count):
    """Places spread evenly over n, since data sets may come class by class."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int))


def _sample(classifier, images, labels, count, seed, batch_size):
    chosen = _spread(len(labels), count)
    # Slices are all that images made on demand have.
    picked = np.concatenate([images[i : i + 1] for i in chosen])
    return attack_checks.Sample(classifier, picked, labels[chosen], seed, batch_size)
