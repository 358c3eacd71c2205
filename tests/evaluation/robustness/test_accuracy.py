"""Accuracy curves as they are asked for by text forms and fractions of the bounds' width."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import PGD, attack, worst_case
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.robustness import chunks
from tfinv.evaluation.robustness.accuracy import accuracy_curve
from tfinv.evaluation.robustness.plan import check_budgets, named_attacks


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


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("pgd(targeted=True)", "pgd untargeted.*Leave out targeted"),
        ("transfer", "a surrogate that exists. Received: ''"),
        (
            "worst_case(members='fgsm,transfer(surrogate=none.keras)')",
            "a surrogate that exists. Received: 'none.keras'",
        ),
    ],
)
def test_what_could_not_run_is_refused_by_its_name(form, message):
    form = form.replace("none.keras", '\\"none.keras\\"')
    with pytest.raises(UserError, match=message):
        named_attacks(["fgsm", form])


@pytest.mark.parametrize(
    ("forms", "eps", "message"),
    [
        (["fgsm"], [0.1, 8], "eps of at most 1 in linf"),
        (["fgsm"], [-0.1], "Received: -0.1. Change --eps"),
        (["pgd", "pgd"], [0.1], "attacks of different names. Received: pgd, pgd"),
    ],
)
def test_budgets_that_can_not_be_are_known_before_anything_is_made(forms, eps, message):
    with pytest.raises(UserError, match=message):
        check_budgets(named_attacks(forms), eps)
    check_budgets(named_attacks(["pgd(norm=l2)"]), [8])


def test_what_an_attack_lacks_is_known_before_another_has_begun():
    classifier = Classifier.from_predict(
        lambda x: np.stack([x.mean((1, 2, 3)), 1 - x.mean((1, 2, 3))], 1),
        input_shape=(2, 2, 1),
        num_classes=2,
        outputs="probabilities",
    )
    shared = []
    with pytest.raises(UserError, match="gradients"):
        accuracy_curve(
            classifier,
            np.zeros((3, 2, 2, 1), np.float32),
            np.zeros(3, int),
            named_attacks(["noise", "pgd"]),
            [0.1],
            experiment="a",
            share=shared.append,
        )
    assert not shared


def test_a_blank_makes_no_other_attack():
    rows = curve((0, 1), named_attacks(["pgd (steps=6, step_size=.02, random_start=False) "]), [0.2])
    assert rows[1]["attack"] == "pgd(steps=6, step_size=.02, random_start=False)"
    assert rows[1]["spec"] == "pgd(eps=0.2,steps=6,step_size=0.02,random_start=False)"


def test_a_step_size_of_none_is_none():
    assert curve((0, 255), [("worst", worst_case([PGD(), attack("fgsm")]))], [0.2])[1]["accuracy"] == 0


@pytest.mark.parametrize(
    ("form", "needs"),
    [
        ("autoattack(steps=2,queries=4)", "gradients"),
        ("worst_case(members='noise,fgsm')", "gradients"),
        ("worst_case(members='noise,square(queries=5)')", "scores"),
        ("worst_case(members='noise')", "labels"),
    ],
)
def test_what_a_worst_case_needs_its_members_decide(form, needs):
    row = curve((0, 1), named_attacks([form]), [0.05])[1]
    assert row["needs"] == needs
    assert ("zero_gradients" in row) is (needs == "gradients")


@pytest.mark.parametrize(("form", "minimal"), [("deepfool", True), ("fgsm,deepfool", None)])
def test_a_worst_case_of_searches_may_stay_short_of_eps(form, minimal):
    row = curve((0, 1), [("worst", attack(f"worst_case(members='{form}')"))], [0.05])[1]
    assert row.get("minimal") is minimal
    assert row["curve"] == "independent"


def test_gradients_of_a_bisected_curve_are_counted_over_all_images():
    """The one that has none withstands, and is all that is tried at the largest eps."""
    threshold = 0.5

    def gated(x):
        mean = tf.reduce_mean(x, [1, 2, 3])
        return tf.where(mean > 0.9, tf.ones_like(mean), threshold - mean)[:, None] * [1.0, -1.0]

    classifier = Classifier.from_callable(gated, input_shape=(2, 2, 1), num_classes=2, outputs="logits")
    images = np.repeat(np.array([0.48] * 9 + [0.95], np.float32), 4).reshape(-1, 2, 2, 1)
    shares = {}
    for mode in ("independent", "bisected"):
        rows = accuracy_curve(
            classifier,
            images,
            np.zeros(10, int),
            named_attacks(["bim(steps=3)"]),
            [0.05, 0.1, 0.2],
            experiment="a",
            curve=mode,
        )
        shares[mode] = {r["zero_gradients"] for r in rows[1:] if "zero_gradients" in r}
    assert shares == {"independent": {0.1}, "bisected": {0.1}}


@pytest.mark.parametrize(("eps", "expected"), [((0.1,), [[range(2), range(2, 3)]]), ((0.0,), [])])
def test_chunks_are_shared_where_there_is_something_to_attack(eps, expected, monkeypatch):
    monkeypatch.setattr(chunks, "_BATCHES", 1)
    shared = []
    classifier, images = brightness((0, 1)), np.full((3, 2, 2, 1), 0.5, np.float32)
    options = {"experiment": "a", "batch_size": 2, "share": shared.append}
    accuracy_curve(classifier, images, np.zeros(3, int), named_attacks(["fgsm"]), eps, **options)
    assert shared == expected
