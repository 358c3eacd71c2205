"""Models compared with a sweep: which of them are called robust and private."""

import dataclasses

import pytest

from tfinv.evaluation.frontier.check import evaluate
from tfinv.evaluation.frontier.line import Point, fit_line


def at(label, x, y, **fields):
    return Point(label, x, y, (x, x), (y, y), **({"accuracies": {0: 0.98}} | fields))


# y = x, but for a hundredth; at x = .8 the prediction of 95 % is .8 +- .08.
SWEPT = [at("atat", 0.0, 0.01), at("none", 0.1, 0.09), at("a", 0.4, 0.39), at("b", 0.8, 0.81)]
PRIVATE = at("b+reversal", 0.8, 0.2, swept=False, twin="b")


def verdict(*held, **options):
    return evaluate([*SWEPT, *held], **({"lower": True, "start": 0.0, "floor": -1.0} | options)).check


def test_a_robust_model_far_below_the_line_at_equal_accuracy_passes():
    check = verdict(PRIVATE)
    assert check.passed is True
    assert "b+reversal (0.2 where the line has 0.8" in check.evidence
    assert "of 1 robust ones" in check.evidence


@pytest.mark.parametrize("changed", [{"y": 0.8}, {"y": 0.5, "twin": "b"}, {"accuracies": {0: 0.95}}, {"y": 0.78}])
def test_on_the_line_or_near_it_or_less_accurate_does_not_pass(changed):
    assert verdict(dataclasses.replace(PRIVATE, **changed)).passed is False


def test_what_lies_beyond_the_line_and_does_not_pass_is_named_with_its_price():
    assert "accuracy 3.0 points below" in verdict(dataclasses.replace(PRIVATE, accuracies={0: 0.95})).evidence
    assert "b+reversal (0.5" in verdict(dataclasses.replace(PRIVATE, y=0.5)).evidence


@pytest.mark.parametrize("twin", [{"accuracies": {1: 0.98}}, {"flaw": "which has not learnt to classify"}])
def test_without_a_sound_twin_nobody_knows_what_privacy_cost(twin):
    swept = [*SWEPT[:3], dataclasses.replace(SWEPT[3], **twin), at("c", 0.9, 0.9)]
    check = evaluate([*swept, PRIVATE], lower=True, start=0.0).check
    assert check.passed is False
    assert "inversion's start 0; no sound twin) of 1 robust ones" in check.evidence


def test_the_price_is_that_of_the_seeds_that_both_have():
    twin = dataclasses.replace(SWEPT[3], accuracies={0: 0.98, 1: 0.97, 2: 0.2})
    held = dataclasses.replace(PRIVATE, accuracies={0: 0.97, 1: 0.97})
    check = evaluate([*SWEPT[:3], twin, held], lower=True, start=0.0).check
    assert check.passed is True
    assert "accuracy 0.5 points below its twin's" in check.evidence


@pytest.mark.parametrize(("lower", "y", "start"), [(True, 0.2, 0.9), (False, 1.6, 0.5)])
def test_where_the_line_gives_away_no_more_than_the_start_there_is_nothing_to_hide(lower, y, start):
    check = evaluate([*SWEPT, dataclasses.replace(PRIVATE, y=y)], lower=lower, start=start).check
    assert check.passed is None
    assert f"no more than the inversion's start {start:g}: b+reversal" in check.evidence


def test_a_model_that_is_not_robust_is_not_judged():
    assert verdict(at("reversal", 0.1, 0.0, swept=False, twin="none")).passed is None
    usual = dataclasses.replace(SWEPT[1], x_interval=(0.0, 0.9))
    assert evaluate([SWEPT[0], usual, *SWEPT[2:], PRIVATE], lower=True).check.passed is None


def test_flaws_count_for_nothing_and_are_named():
    collapsed = dataclasses.replace(PRIVATE, y=0.0, flaw="which has not learnt to classify (11.0 %)")
    check = verdict(collapsed)
    assert check.passed is None
    assert "not counted: b+reversal, which has not learnt to classify (11.0 %)" in check.evidence
    broken = at("c", 0.9, 0.0, flaw="which has not learnt to classify (11.0 %)")
    assert evaluate([*SWEPT, broken], lower=True).line == fit_line(SWEPT)
    partly = dataclasses.replace(PRIVATE, left_out="seed 2, which has not learnt to classify (9.8 %)")
    assert "left out of b+reversal: seed 2" in verdict(partly).evidence


def test_where_the_scale_ends_before_the_prediction_none_could_leave_it():
    scattered = [dataclasses.replace(p, y=p.y + e) for p, e in zip(SWEPT, (0.3, -0.05, 0.4, -0.3), strict=True)]
    held = dataclasses.replace(PRIVATE, y=0.0)
    assert evaluate([*scattered, held], lower=True, floor=0.0).check.passed is None
    assert evaluate([*scattered, held], lower=True).check.passed is False


def test_higher_is_more_private_of_a_distance():
    far = dataclasses.replace(PRIVATE, y=1.6)
    assert evaluate([*SWEPT, far], lower=False, start=2.0).check.passed is True
    assert evaluate([*SWEPT, far], lower=False, start=4.0).check.passed is False


def test_the_level_allows_for_all_robust_ones_and_seeds_are_told():
    several = [dataclasses.replace(PRIVATE, label=str(i)) for i in range(4)]
    verdict = evaluate([*SWEPT, *several], lower=True, seed_lines=[fit_line(SWEPT), fit_line(SWEPT[1:])])
    assert verdict.level == pytest.approx(1 - 0.05 / 4)
    assert "r of each seed alone 1.00, 1.00" in verdict.check.evidence


def test_without_a_line_or_training_as_usual_nothing_is_judged():
    assert evaluate(SWEPT[:2], lower=True).check.passed is None
    assert evaluate([*SWEPT, PRIVATE], usual="gone", lower=True).check.passed is None
