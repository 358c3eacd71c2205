"""Accuracy curves as they are asked for by text forms and fractions of the bounds' width."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import PGD, attack, worst_case
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation import robustness
from tfinv.evaluation.robustness import accuracy_curve, named_attacks


def brightness(bounds):
    """Class 1 from a tenth of the range above the middle on."""
    low, high = bounds
    threshold = low + 0.6 * (high - low)
    return Classifier.from_callable(
        lambda x: (tf.reduce_mean(x, [1, 2, 3]) - threshold)[:, None] * [-1.0, 1.0],
        input_shape=(2, 2, 1),
        num_classes=2,
        bounds=bounds,
        outputs="logits",
    )


def curve(bounds, attacks, eps):
    classifier = brightness(bounds)
    images = classifier.from_unit(np.full((3, 2, 2, 1), 0.5, np.float32))
    return accuracy_curve(classifier, images, np.zeros(3, int), attacks, eps, experiment="a")


@pytest.mark.parametrize("bounds", [(0, 1), (0, 255), (-1, 1)])
def test_a_step_size_is_a_fraction_of_the_width_as_eps_is(bounds):
    # Four steps of .02 lead to .08, five to .1 and beyond the threshold.
    for steps, accuracy in ((4, 1.0), (6, 0.0)):
        pgd = attack(f"pgd(steps={steps},step_size=.02,random_start=False)")
        rows = curve(bounds, [("pgd", pgd)], [0.2])
        assert (rows[1]["eps"], rows[1]["accuracy"]) == (0.2, accuracy)
    whole = worst_case([PGD(step_size=0.02)])
    if bounds == (0, 1):
        curve(bounds, [("worst", whole)], [0.2])
    else:
        with pytest.raises(UserError, match="without step_size inside"):
            curve(bounds, [("worst", whole)], [0.2])


def test_grey_levels_are_no_fraction():
    with pytest.raises(UserError, match=r"at most 1 in linf.*Received: 8.*--eps=8/255"):
        curve((0, 255), [("pgd", PGD())], [8])
    assert curve((0, 255), [("pgd", PGD(norm="l2"))], [8])[1]["accuracy"] == 0


def test_an_eps_that_the_curve_would_replace_is_refused():
    assert [name for name, _ in named_attacks(["fgsm", "pgd(steps=3)"])] == ["fgsm", "pgd(steps=3)"]
    with pytest.raises(UserError, match=r"pgd without an eps of its own.*--eps"):
        named_attacks(["fgsm", "pgd(eps=.1)"])


@pytest.mark.parametrize(("eps", "told"), [((0.1,), [[range(2), range(2, 3)]]), ((0.0,), [])])
def test_what_is_ahead_is_told_where_there_is_something_to_attack(eps, told, monkeypatch):
    monkeypatch.setattr(robustness, "_BATCHES", 1)
    found = []
    classifier, images = brightness((0, 1)), np.full((3, 2, 2, 1), 0.5, np.float32)
    options = {"experiment": "a", "batch_size": 2, "ahead": found.append}
    accuracy_curve(classifier, images, np.zeros(3, int), named_attacks(["fgsm"]), eps, **options)
    assert found == told
