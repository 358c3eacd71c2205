"""The whole list on hand-made classifiers; each rule on its own is in the other files, and Keras models in test_maskings."""

import numpy as np
import pytest

from tfinv.attacks import FGSM, PGD, Noise, Square
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.robustness import checks
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.experiments.artefact import GreyLevelFGSM

EPS = (0.05, 0.1, 0.25)
EFFORT = checks.Effort(images=50, steps=20, queries=30, draws=20, minimal_steps=20)


def evaluate(handmade, classifier, *attacks, effort=EFFORT):
    x, y = handmade.data()
    x = classifier.from_unit(x)
    attacks = attacks or (
        ("fgsm", FGSM()),
        ("pgd", PGD(steps=10)),
        ("noise", Noise(draws=3)),
        ("square", Square(queries=30)),
    )
    rows = accuracy_curve(classifier, x, y, attacks, EPS, experiment="e")
    return {c.name: c.passed for c in checks.robustness_checks(rows, classifier, x, y, effort=effort)}


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_an_honest_evaluation_passes_all(handmade, bounds):
    outcomes = evaluate(handmade, handmade.linear(bounds=bounds))
    assert len(outcomes) == 18
    assert set(outcomes.values()) == {True}


def test_the_quick_effort_leaves_out_the_minimal_attack(handmade):
    outcomes = evaluate(handmade, handmade.linear(), effort=checks.QUICK)
    assert outcomes.pop("minimal-attack-finds-nothing-nearer") is None
    assert set(outcomes.values()) == {True}


def test_saturated_softmax_with_cross_entropy_is_caught(handmade):
    masked = handmade.linear(scale=1000.0)
    outcomes = evaluate(
        handmade, masked, ("fgsm", FGSM(loss="cross_entropy")), ("pgd", PGD(steps=10, loss="cross_entropy"))
    )
    for name in ("zero-gradients", "losses-agree", "black-box-finds-nothing-new"):
        assert outcomes[name] is False
    # The default loss sees through it.
    assert set(evaluate(handmade, masked).values()) == {True}


def test_a_quantised_input_is_caught(handmade):
    """Its gradient is exactly zero: what follows one does nothing, and noise does better."""
    outcomes = evaluate(
        handmade, handmade.linear(front=handmade.quantised), ("fgsm", FGSM()), ("noise", Noise(draws=3))
    )
    assert {name for name, passed in outcomes.items() if passed is False} >= {
        "accuracy-falls-with-eps",
        "unbounded-attack-reaches-zero",
        "noise-weaker-than-fgsm",
        "zero-gradients",
        "perturbation-uses-budget",
        "gradient-matches-differences",
        "black-box-finds-nothing-new",
        "noise-finds-nothing-new",
    }
    assert outcomes["pgd-at-least-fgsm"] is None
    assert outcomes["input-range-and-dtype"] is True
    assert outcomes["predictions-are-deterministic"] is True


def test_an_eps_in_grey_levels_is_caught(handmade):
    x, y = handmade.data()
    classifier, x = handmade.linear(), (np.round(255 * x) / 255).astype(np.float32)  # as any 8-bit image
    rows = accuracy_curve(classifier, x, y, [("fgsm", GreyLevelFGSM())], EPS, experiment="e")
    assert len({r["accuracy"] for r in rows[1:]}) == 1  # the poster's flat line
    outcomes = {c.name: c.passed for c in checks.robustness_checks(rows, classifier, x, y, effort=EFFORT)}
    assert outcomes["perturbation-uses-budget"] is False
    assert outcomes["accuracy-falls-with-eps"] is False
    assert outcomes["zero-gradients"] is True


def test_a_black_box_is_judged_as_far_as_it_can_be(handmade):
    outcomes = evaluate(handmade, handmade.black_box(), ("square", Square(queries=30)), ("noise", Noise(draws=3)))
    assert {name for name, passed in outcomes.items() if passed} == {
        "accuracy-falls-with-eps",
        "perturbation-uses-budget",
        "input-range-and-dtype",
        "logits-are-known",
        "predictions-are-deterministic",
    }
    assert [name for name, passed in outcomes.items() if passed is False] == ["not-only-black-box"]


class Slices:
    """Images that come a slice at a time, in the order of their classes."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.images[rows]


def test_images_may_come_in_slices_and_class_by_class(handmade):
    x, y = handmade.data()
    order = np.argsort(y, kind="stable")
    rows = accuracy_curve(handmade.linear(), x[order], y[order], [("pgd", PGD(steps=5))], (0.1,), experiment="e")
    whole, sliced = (
        checks.robustness_checks(rows, handmade.linear(), images, y[order], effort=EFFORT)
        for images in (x[order], Slices(x[order]))
    )
    assert whole == sliced
    (half,) = [c for c in whole if c.name == "half-range-beats-guessing"]
    share = np.bincount(y[order][checks.evenly_spaced(400, 50)]).max() / 50
    assert share < 0.6  # both classes are among the fifty
    assert f"is right for {100 * share:.2f} %" in half.evidence


def test_merge():
    def check(name, passed, evidence):
        return Check(name, passed, evidence, f"advice on {name}")

    merged = merge(
        [
            ("a", check("r1", True, "fine")),
            ("b", check("r1", False, "bad")),
            ("c", check("r1", None, "-")),
            ("a", check("r2", None, "not run")),
            ("b", check("r2", True, "ok")),
            ("a", check("r3", None, "nothing")),
        ]
    )
    assert [(c.name, c.passed) for c in merged] == [("r1", False), ("r2", True), ("r3", None)]
    assert merged[0].evidence == "1 of 3 failed; b: bad"
    assert merged[1].evidence == "none of 2 failed; b: ok"
    assert merged[2].evidence == "a: nothing"
    assert merged[0].advice == "advice on r1"
    assert merge([]) == []
