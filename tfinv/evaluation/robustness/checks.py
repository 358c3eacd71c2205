"""All checks of a robustness evaluation (Carlini et al. 2019; Athalye et al. 2018), of its rows and its classifier.

`row_checks` checks the measurements; `model_checks`, `gradient_check`, `attack_checks` and `standing_checks` test the classifier.
docs/reading-a-report.md has a heading for each.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfinv.classifier import Classifier
from tfinv.evaluation.check import Check
from tfinv.evaluation.robustness import attack_checks, model_checks, row_checks, standing_checks
from tfinv.evaluation.robustness.gradient_check import gradient_matches_differences


@dataclasses.dataclass(frozen=True)
class Effort:
    """Budget of the checks that test the classifier.

    Attributes:
      images: number of images that are attacked, spaced evenly over all.
      steps: of PGD at half the range.
      queries: of Square, for each image.
      draws: of random noise, an image. The usual 10,000 would take a small convolutional network minutes for a few hundred images
        (it makes some 12,000 predictions a second on two cores), and on the few images that fit into 20 seconds a finding of
        1 % would not be significant.
      minimal_steps: of the attack for the smallest perturbation; 0 leaves it out.
    """

    images: int = 100
    steps: int = 20
    queries: int = 50
    draws: int = 30
    minimal_steps: int = 0


QUICK = Effort()
THOROUGH = Effort(images=300, steps=40, queries=1000, draws=1000, minimal_steps=100)

# Numbers of images for repeated predictions, and for gradients, which need no more.
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
    withstood: Callable[[row_checks.Row], np.ndarray] | None = None,
) -> list[Check]:
    """Runs all checks of one experiment's rows of kind "accuracy".

    Args:
      rows: of one classifier and seed.
      classifier: the classifier of the rows.
      images: (n, H, W, C) in its bounds: an array, or an object with a length that gives arrays for slices.
      labels: (n,).
      seed: of the attacks of the checks.
      batch_size: examples in one compiled call.
      effort: budget of the checks that test the classifier.
      withstood: says of a row which images withstood its attack, (n,) bool; without it the attack that decides is repeated.
    """
    low, high = classifier.bounds
    chosen = evenly_spaced(len(labels), effort.images)
    # Images that are made on demand give slices only.
    sampled = np.concatenate([images[i : i + 1] for i in chosen])
    sample = attack_checks.Sample(classifier, sampled, labels[chosen], seed, batch_size)
    standing = standing_checks.left_standing(rows, sample, withstood and (lambda row: withstood(row)[chosen]))
    few, some = evenly_spaced(len(sample.labels), _FEW), sample.take(evenly_spaced(len(sample.labels), _SOME))
    return [
        row_checks.accuracy_falls(rows),
        row_checks.perturbation_uses_budget(rows, high - low),
        row_checks.pgd_at_least_fgsm(rows),
        row_checks.noise_weaker_than_fgsm(rows),
        row_checks.white_box_at_least_black_box(rows),
        row_checks.not_only_black_box(rows),
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


def evenly_spaced(n: int, count: int) -> np.ndarray:
    """Returns up to `count` indices spaced evenly over n, since data sets may be in class order."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(int))
