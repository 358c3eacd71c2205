"""Budgets: the usual eps of images, and what is left out to end in time."""

import numpy as np
import pytest

import tiny_audit
from tfinv import datasets
from tfinv.auditing import budget as budgets
from tfinv.catalogue import BUDGETS, QUESTIONS
from tfinv.datasets import Dataset
from tfinv.errors import UserError


def images(pixels):
    return Dataset("made", "test", pixels, np.zeros(len(pixels), np.int64), ("a", "b"))


def test_digits_are_judged_by_their_usual_eps():
    eps, reason = budgets.default_eps(datasets.load("mnist5k", "test"))
    assert eps == 0.3
    assert "drawings in ink" in reason


@pytest.mark.parametrize(
    ("share", "channels", "eps"), [(1.0, 1, 0.3), (0.75, 1, 0.3), (0.5, 1, 0.1), (0.4, 1, 8 / 255), (1.0, 3, 8 / 255)]
)
def test_eps_follows_the_share_of_ink(share, channels, eps):
    pixels = np.full((1, 10, 10, channels), 0.5, np.float32)
    pixels[0, : round(10 * share)] = 1.0
    pixels[0, :, : round(100 * share) - 10 * round(10 * share)] = 0.0
    assert budgets.default_eps(images(pixels))[0] == pytest.approx(eps)


def test_every_budget_has_its_shadows():
    assert [budgets.budget(name).shadows for name in BUDGETS] == [0, 8, 32]
    assert [budgets.budget(name).name for name in BUDGETS] == list(BUDGETS)


def test_an_unknown_budget_is_refused():
    with pytest.raises(UserError, match="Expected a budget among quick, standard, thorough"):
        budgets.budget("huge")


def total(seconds):
    """An estimate of which all is robustness."""
    return lambda budget: {"robustness": seconds(budget), "accuracy": 0.0}


def test_a_budget_that_ends_in_time_is_kept_whole():
    quick = budgets.budget("quick")
    assert budgets.fit(quick, total(lambda budget: 1.0)) == quick
    assert budgets.left_out(quick, quick) == []


def test_the_longest_question_is_halved_until_the_audit_ends_in_time():
    quick = budgets.budget("quick")
    fitted = budgets.fit(quick, total(lambda budget: 220.0 * budget.attacks.images / 100))
    assert fitted.attacks.images == 100
    assert (fitted.images, fitted.corrupted) == (quick.images, quick.corrupted)
    assert budgets.left_out(quick, fitted)[0] == "100 images under attack in place of 200"


def test_several_questions_are_cut_where_one_is_not_enough():
    quick = budgets.budget("quick")
    fitted = budgets.fit(quick, lambda b: {"robustness": b.attacks.images, "inversion": b.inversion.images / 10})
    # 200 + 500, then 200 + 250, then 200 + 125: then it is the turn of robustness, and of inversion to its least.
    assert (fitted.attacks.images, fitted.inversion.images) == (100, 1000)


def test_a_slow_model_gets_the_second_limit_and_fewer_images():
    quick = budgets.budget("quick")
    fitted = budgets.fit(quick, total(lambda budget: 10.0 * budget.attacks.images))
    assert 10.0 * fitted.attacks.images <= quick.seconds[1]
    assert budgets.LEAST_IMAGES <= fitted.attacks.images < 100


def test_the_fewest_images_are_taken_where_nothing_ends_in_time():
    fitted = budgets.fit(budgets.budget("quick"), lambda budget: dict.fromkeys(QUESTIONS, 1e9))
    assert fitted.attacks.images == budgets.LEAST_IMAGES
    assert (fitted.probed, fitted.inversion.classes) == (100, 5)


def test_without_a_limit_nothing_is_left_out():
    assert budgets.fit(tiny_audit.TINY, total(lambda budget: 1e9)) == tiny_audit.TINY
