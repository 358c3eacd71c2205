"""Clean accuracy: models that see, and such as have no skill, other classes, or another order of them."""

import numpy as np
import pytest

from tfinv.evaluation.robustness import clean_checks
from tfinv.evaluation.robustness.clean_checks import Classes
from tfinv.importing.probing import Probe, Setting

NAMES = ("ant", "bee", "cow", "dog")


def labels(n=400, count=4):
    return np.random.default_rng(0).integers(0, count, n)


def predictions(truth, share, count=4, seed=1):
    """Right for this share of the images, and any class for the others."""
    rng = np.random.default_rng(seed)
    return np.where(rng.uniform(size=len(truth)) < share, truth, rng.integers(0, count, len(truth)))


def probe(**better):
    truth = labels()
    other = (Setting((0, 255)), Setting((0, 1), "bgr"))
    return Probe(Setting((0, 1)), truth, predictions(truth, 0.5), other, **better)


def test_preprocessing_fits():
    check = clean_checks.preprocessing_fits(probe())
    assert (check.name, check.passed) == ("preprocessing-fits", True)
    assert "in no other usual setting clearly more (sign test at .1 % over 2 other settings)" in check.evidence
    assert check.evidence.endswith(": --bounds=0,255, --channels=bgr")
    better = {"better": Setting((0, 255)), "better_accuracy": 0.99, "only_better": 200, "only_declared": 3}
    check = clean_checks.preprocessing_fits(probe(**better))
    assert check.passed is False
    assert "as declared (pixels from 0 to 1), but 99.00 % with pixels from 0 to 255: 200 only so" in check.evidence
    assert check.evidence.endswith("Pass --bounds=0,255")


@pytest.mark.parametrize(("share", "passed"), [(1.0, True), (0.15, True), (0.0, False)])
def test_beats_guessing(share, passed):
    truth = labels()
    check = clean_checks.beats_guessing(predictions(truth, share), truth)
    assert check.passed is passed
    assert (
        f"most frequent class is right for {np.bincount(truth).max() / 4:.2f} % (binomial test at 1 %)"
        in check.evidence
    )


@pytest.mark.parametrize("right", [32, 24, 0])
def test_eight_six_and_no_percent_are_no_skill(right):
    truth = np.arange(400) % 10
    predicted = (truth + 1) % 10
    predicted[:right] = truth[:right]
    check = clean_checks.beats_guessing(predicted, truth)
    assert check.passed is False
    assert f"{right / 4:.2f} % of 400 images are right" in check.evidence


def test_the_most_frequent_class_is_what_guessing_is():
    """Ninety of a hundred are right by saying always the same."""
    truth = np.repeat([0, 1], [90, 10])
    assert clean_checks.beats_guessing(np.zeros(100, int), truth).passed is False
    assert clean_checks.beats_guessing(np.where(np.arange(100) < 99, truth, 0), truth).passed is True


def test_few_images_do_not_tell():
    assert clean_checks.beats_guessing(np.array([0, 1]), np.array([0, 1])).passed is None
    assert clean_checks.beats_guessing(np.zeros(50, int), np.zeros(50, int)).passed is None
    check = clean_checks.beats_guessing(np.arange(10) % 2, np.arange(10) % 2)
    assert check.passed is True


def test_another_order_of_the_classes():
    truth = labels()
    classes = Classes(4, NAMES)
    assert clean_checks.class_order_fits(predictions(truth, 0.9), truth, classes).passed is True
    # Output k is the class order[k]: a model trained with the classes cow, ant, dog, bee.
    order = np.array([2, 0, 3, 1])
    predicted = np.argsort(order)[predictions(truth, 0.9)]
    check = clean_checks.class_order_fits(predicted, truth, classes)
    assert check.passed is False
    assert "With the classes in another order it is 9" in check.evidence
    assert "of 200 images, and not" in check.evidence
    assert check.evidence.endswith("Pass --class_names=cow,ant,dog,bee")
    # The advice, followed.
    names = check.evidence.rpartition("=")[2].split(",")
    followed = np.array([NAMES.index(name) for name in names])[predicted]
    assert np.mean(followed == truth) == np.mean(predictions(truth, 0.9) == truth)


def test_chance_is_no_order():
    """The best of 24 orders fits one half of the images by chance, and the other half no better."""
    truth = labels(100)
    assert clean_checks.class_order_fits(predictions(truth, 0.0), truth, Classes(4, NAMES)).passed is True


def test_two_classes_that_are_exchanged():
    truth = labels(count=2)
    check = clean_checks.class_order_fits(1 - predictions(truth, 0.96, 2), truth, Classes(2, ("cat", "dog")))
    assert check.passed is False
    assert "--class_names=dog,cat" in check.evidence


NUMBERS = tuple(str(k) for k in range(12))


@pytest.mark.parametrize(("names", "order"), [(NUMBERS, "alphabet"), (tuple(sorted(NUMBERS)), "numbers")])
def test_the_order_of_the_alphabet_and_of_numbers_are_named(names, order):
    truth = labels(count=12)
    trained_with = sorted(NUMBERS) if order == "alphabet" else list(NUMBERS)
    output = np.array([trained_with.index(name) for name in names])
    predicted = output[predictions(truth, 0.9, 12)]
    check = clean_checks.class_order_fits(predicted, truth, Classes(12, names))
    assert check.passed is False
    assert "With the classes in the order of " in check.evidence
    assert order in check.evidence
    assert "of 400 images" in check.evidence
    assert check.evidence.endswith(f"Pass --class_names={','.join(trained_with)}")
    right = clean_checks.class_order_fits(predictions(truth, 0.9, 12), truth, Classes(12, names))
    assert right.passed is True


def test_more_outputs_than_classes_have_an_order_too():
    """Outputs 500 to 503 of a thousand are the four classes."""
    truth = labels()
    check = clean_checks.class_order_fits(500 + predictions(truth, 0.9), truth, Classes(1000, NAMES))
    assert check.passed is False
    assert "a file of the names in the order of the outputs: output 500 is ant, output 501 is bee" in check.evidence


def test_many_classes_are_quick():
    truth = labels(500, 5000)
    names = tuple(f"class {k}" for k in range(5000))
    assert clean_checks.class_order_fits(predictions(truth, 0.5, 5000), truth, Classes(5000, names)).passed is True


def test_class_counts_agree():
    truth = labels()
    good, poor = predictions(truth, 0.9), predictions(truth, 0.0, 1000)

    def check(predicted, *arguments):
        return clean_checks.class_counts_agree(predicted, truth, Classes(*arguments))

    assert check(good, 4, NAMES).passed is True
    wrong = check(poor, 1000, NAMES)
    assert wrong.passed is False
    assert "the model has 1000 classes, the data set 4" in wrong.evidence
    assert "ant for output 0, bee for output 1" in wrong.evidence
    assert f"{np.mean(poor >= 4):.2%}".replace("%", " %") in wrong.evidence
    by_name = check(good, 1000, NAMES, tuple(f"c{k}" for k in range(996)) + NAMES)
    assert by_name.passed is True
    assert "matched by name" in by_name.evidence
    assert check(poor, 1000, NAMES, tuple(f"c{k}" for k in range(1000))).passed is False
    # Numbers, the last of which no image has.
    assert check(good, 5, ("0", "1", "2", "3")).passed is True
    assert check(poor, 1000, ("0", "1", "2", "3")).passed is False


def test_all_at_once():
    checks = clean_checks.clean_checks(probe(), Classes(4, NAMES))
    assert [c.name for c in checks] == [
        "preprocessing-fits",
        "clean-accuracy-beats-guessing",
        "class-order-fits",
        "class-counts-agree",
    ]
    assert {c.passed for c in checks} == {True}
