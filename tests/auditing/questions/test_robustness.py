"""The smallest eps that fools an image, on a linear model where it is known."""

import numpy as np
import pytest

from linear_model import WEIGHTS, linear, middle
from tfinv.auditing.questions.robustness import Run, smallest_eps
from tfinv.evaluation.robustness.chunks import ChunkStore, Target
from tfinv.evaluation.robustness.plan import AttackPlan, named_attacks


def run(classifier, images, *plans):
    labels = np.zeros(len(images), np.int64)
    made = [AttackPlan(tuple(named_attacks(forms)), eps, batch_size=4) for forms, eps in plans]
    return Run(Target(classifier, images, labels), tuple(made), ChunkStore())


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0)])
def test_the_smallest_eps_is_a_fraction_of_the_range(bounds):
    width = bounds[1] - bounds[0]
    classifier = linear(-0.1 * float(np.abs(WEIGHTS).sum()) * width, bounds)
    attacked = run(classifier, middle(bounds), (("fmn(steps=100)",), (0.05, 0.2)))
    smallest, fooled_by = smallest_eps(attacked, np.array([True] * 3))
    np.testing.assert_allclose(smallest, 0.1, rtol=0.02)
    assert set(fooled_by) == {"fmn(steps=100)"}


def test_the_nearest_of_several_attacks_counts():
    classifier = linear(-0.1 * float(np.abs(WEIGHTS).sum()))
    attacked = run(classifier, middle(), (("fgsm",), (0.05, 0.2)), (("fmn(steps=100)",), (0.05, 0.2)))
    smallest, fooled_by = smallest_eps(attacked, np.array([True] * 3))
    np.testing.assert_allclose(smallest, 0.1, rtol=0.02)
    assert set(fooled_by) == {"fmn(steps=100)"}


def test_of_images_that_withstand_nothing_is_said():
    classifier = linear(-0.4 * float(np.abs(WEIGHTS).sum()))
    attacked = run(classifier, middle(), (("fgsm",), (0.05, 0.2)))
    smallest, fooled_by = smallest_eps(attacked, np.array([True, True, False]))
    np.testing.assert_array_equal(smallest, [np.nan, np.nan, 0.0])
    assert list(fooled_by) == ["", "", ""]
