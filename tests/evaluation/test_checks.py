"""Each rule of a sound robustness evaluation: rows that keep it, rows that break it, and real maskings that are caught."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import FGSM, PGD, Noise
from tfinv.classifier import Classifier
from tfinv.evaluation import checks
from tfinv.evaluation.check import Check, merge
from tfinv.evaluation.robustness import accuracy_curve
from tfinv.recipes.artefact import GreyLevelFGSM

SHAPE, SIZE = (4, 4, 1), 16
EPS = (0.05, 0.1, 0.25)


def rows(n=1000, clean=0.95, **attacks):
    """Rows of the accuracies at EPS, with distances that use the whole budget and no zero gradient."""
    found = [{"attack": "none", "eps": 0.0, "accuracy": clean, "n": n}]
    for attack, values in attacks.items():
        for eps, value in zip(EPS, values, strict=False):
            row = {"attack": attack, "eps": eps, "accuracy": value, "n": n, "max_distance": eps}
            found.append(row if attack == "noise" else row | {"zero_gradients": 0.0})
    return found


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        ((0.9, 0.5, 0.1), True),
        ((0.0, 0.0, 0.0), True),  # nothing is left to fall
        ((0.9, 0.5, 0.505), True),  # a rise of less than chance
        ((0.9, 0.5, 0.6), False),  # it rises
        ((0.99, 0.5, 0.1), False),  # above clean
        ((0.949, 0.949, 0.949), False),  # the poster's flat line
        ((0.955,), True),  # one point, no more than chance above clean
    ],
)
def test_accuracy_falls(values, passed):
    check = checks.accuracy_falls(rows(fgsm=values))
    assert check.name == "accuracy-falls-with-eps"
    assert check.passed is (passed or False)
    assert "fgsm: 95.00 %" in check.evidence


def test_accuracy_falls_judges_each_attack_but_not_noise():
    check = checks.accuracy_falls(rows(fgsm=(0.9, 0.5, 0.1), pgd=(0.8, 0.8, 0.8), noise=(0.95, 0.95, 0.95)))
    assert check.passed is False
    assert "pgd stays flat from eps 0.05 to 0.25" in check.evidence
    assert "noise" not in check.evidence
    assert checks.accuracy_falls(rows(noise=(0.95, 0.95, 0.95))).passed is None
    assert checks.accuracy_falls(rows()).passed is None


@pytest.mark.parametrize(
    ("check", "strong", "weak"),
    [(checks.pgd_at_least_fgsm, "pgd", "fgsm"), (checks.noise_weaker_than_fgsm, "fgsm", "noise")],
)
def test_the_stronger_attack_must_not_be_weaker(check, strong, weak):
    low, high = (0.8, 0.4, 0.1), (0.9, 0.5, 0.2)
    assert check(rows(**{strong: low, weak: high})).passed is True
    assert check(rows(**{strong: low, weak: low})).passed is True
    wrong = check(rows(**{strong: (0.8, 0.5, 0.1), weak: (0.8, 0.4, 0.1)}))
    assert wrong.passed is False
    assert wrong.evidence == f"eps 0.1: {strong} 50.00 %, {weak} 40.00 %"
    # Of twenty images two more or less are chance.
    assert check(rows(20, **{strong: (0.8, 0.5, 0.1), weak: (0.8, 0.4, 0.1)})).passed is True
    assert check(rows(**{strong: low})).passed is None


def test_zero_gradients():
    found = rows(fgsm=(0.9, 0.5, 0.1))
    assert checks.zero_gradients(found).passed is True
    found[2]["zero_gradients"] = 0.01
    assert checks.zero_gradients(found).passed is True
    found[2]["zero_gradients"] = 0.02
    check = checks.zero_gradients(found)
    assert check.passed is False
    assert "2.00 % of the gradients of fgsm at eps 0.1" in check.evidence
    assert checks.zero_gradients(rows(noise=(0.9, 0.9, 0.9))).passed is None


@pytest.mark.parametrize("width", [1.0, 255.0])
def test_perturbation_uses_budget(width):
    def with_distance(at_ten_percent, accuracy=0.5):
        found = rows(fgsm=(0.9, accuracy, 0.1))
        for row in found[1:]:
            row["max_distance"] *= width
        found[2]["max_distance"] = at_ten_percent * width
        return checks.perturbation_uses_budget(found, width)

    assert with_distance(0.1).passed is True
    assert with_distance(0.06).passed is True
    assert with_distance(1 / 255).passed is False
    assert "fgsm at eps 0.1 moved at most 0.003922" in with_distance(1 / 255).evidence
    assert with_distance(0.1001).passed is False
    assert "outside its budget" in with_distance(0.1001).evidence
    assert with_distance(0.01, accuracy=0.0).passed is True  # enough to succeed everywhere
    assert checks.perturbation_uses_budget(rows(), width).passed is None


def linear(scale=1.0, bounds=(0.0, 1.0), front=lambda x: x):
    """Two classes, logits -+ scale times the sum of the pixels around their middle."""
    low, high = bounds

    def fn(x):
        total = tf.reduce_sum(front(x) - (low + high) / 2, [1, 2, 3]) / (high - low)
        return scale * tf.stack([-total, total], 1)

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits", bounds=bounds)


@functools.cache
def data():
    """400 images of margins from 0 to 5.6: at eps .05, .1, .25 an L-inf attack takes 1.6, 3.2, 8 of it."""
    x = np.random.default_rng(0).uniform(size=(400, *SHAPE)).astype(np.float32)
    shift = np.random.default_rng(1).uniform(-0.2, 0.2, (400, 1, 1, 1)).astype(np.float32)
    x = np.clip(0.5 + (x - 0.5) * 0.4 + shift, 0, 1).astype(np.float32)
    x[0, 0, 0], x[0, 0, 1] = 0, 1
    return x, (x.reshape(400, -1).astype(np.float64).sum(1) > SIZE / 2).astype(int)


def evaluate(classifier, *attacks):
    x, y = data()
    x = classifier.from_unit(x)
    attacks = attacks or (("fgsm", FGSM()), ("pgd", PGD(steps=10)), ("noise", Noise(draws=3)))
    found = accuracy_curve(classifier, x, y, attacks, EPS, experiment="e")
    return {c.name: c.passed for c in checks.robustness_checks(found, classifier, x, y, unbounded_images=50)}


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_an_honest_evaluation_passes_all(bounds):
    found = evaluate(linear(bounds=bounds))
    assert len(found) == 7
    assert set(found.values()) == {True}


def test_saturated_softmax_with_cross_entropy_is_caught():
    masked = linear(scale=1000.0)
    found = evaluate(masked, ("fgsm", FGSM(loss="cross_entropy")), ("pgd", PGD(steps=10, loss="cross_entropy")))
    assert found["zero-gradients"] is False
    assert found["accuracy-falls-with-eps"] is False
    # The default loss sees through it.
    assert set(evaluate(masked).values()) == {True}


def quantise(x):
    return 0.0 * x + tf.stop_gradient(tf.round(x * 8) / 8)


def test_a_quantised_input_is_caught():
    """Its gradient is exactly zero: what follows one does nothing, and noise does better."""
    found = evaluate(linear(front=quantise), ("fgsm", FGSM()), ("noise", Noise(draws=3)))
    assert found == {
        "accuracy-falls-with-eps": False,
        "unbounded-attack-reaches-zero": False,
        "pgd-at-least-fgsm": None,
        "noise-weaker-than-fgsm": False,
        "zero-gradients": False,
        "perturbation-uses-budget": False,
        "input-range-and-dtype": True,
    }


def test_an_eps_in_grey_levels_is_caught():
    x, y = data()
    classifier, x = linear(), (np.round(255 * x) / 255).astype(np.float32)  # as any 8-bit image
    rows = accuracy_curve(classifier, x, y, [("fgsm", GreyLevelFGSM())], EPS, experiment="e")
    assert len({r["accuracy"] for r in rows[1:]}) == 1  # the poster's flat line
    found = {c.name: c.passed for c in checks.robustness_checks(rows, classifier, x, y, unbounded_images=50)}
    assert found["perturbation-uses-budget"] is False
    assert found["accuracy-falls-with-eps"] is False
    assert found["zero-gradients"] is True


def test_unbounded_counts_what_withstands():
    x, y = data()
    fine = checks.unbounded_reaches_zero(linear(), x[:20], y[:20])
    assert fine.passed is True
    assert fine.evidence.startswith("0.00 % of 20 images")
    # Five images of a gradient that points the wrong way, with margins that no random start overcomes.
    x = np.concatenate([x[:15], np.ones((5, *SHAPE), np.float32)])
    y = np.concatenate([y[:15], np.ones(5, int)])

    def mislead(z):
        return tf.where(tf.reduce_mean(z, [1, 2, 3], keepdims=True) > 0.3, 2 * tf.stop_gradient(z) - z, z)

    check = checks.unbounded_reaches_zero(linear(front=mislead), x, y)
    assert check.passed is False
    assert not check.evidence.startswith("0.00 %")


def test_input_range():
    classifier = linear(bounds=(0.0, 255.0))
    x = data()[0]
    assert checks.input_range(classifier, 255 * x).passed is True
    check = checks.input_range(classifier, x)
    assert check.passed is False
    assert check.evidence == "float32 from 0 to 1 in bounds 0 to 255"
    assert checks.input_range(classifier, (255 * x).astype(np.uint8)).passed is False


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
