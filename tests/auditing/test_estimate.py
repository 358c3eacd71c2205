"""Estimates, on costs of round numbers."""

import dataclasses

import pytest

import tiny_audit
from tfinv.auditing import estimate
from tfinv.auditing.estimate import Cost, Scope
from tfinv.catalogue import QUESTIONS
from tfinv.errors import UserError

SCOPE = Scope(QUESTIONS, images=100, pixels=64, classes=10, gradients=True, scores=True, corruptions=50, shadows=0)
COST = Cost(prediction=1.0, gradient=10.0, tracing=0.0)


def test_predictions_are_counted():
    seconds = estimate.estimate(tiny_audit.TINY, SCOPE, COST)
    assert seconds["accuracy"] == 40 + 4 * 40
    assert seconds["corruptions"] == 5 * 50
    assert seconds["membership"] == 60


def test_attacks_are_counted():
    # At four eps: noise of 10 draws, fgsm of a step, pgd of 4 steps that half withstand; apgdt of 3 steps to 2 targets at one; fmn.
    attacks = 4 * 0.5 * 10 + 4 * 10 + 4 * 0.5 * 4 * 10 + 0.5 * 3 * 2 * 10 + 10 * 10
    checks = 0.5 * 8 * (10 * 4 * 4 + 10 + 5)
    assert estimate.estimate(tiny_audit.TINY, SCOPE, COST)["robustness"] == 12 * attacks + checks


def test_fewer_images_than_the_budget_cost_less():
    few = dataclasses.replace(SCOPE, images=6)
    assert estimate.estimate(tiny_audit.TINY, few, COST)["corruptions"] == 5 * 50
    assert estimate.estimate(tiny_audit.TINY, dataclasses.replace(SCOPE, images=2), COST)["corruptions"] == 2 * 50


def test_steps_and_evaluators_of_inversion_are_counted():
    # Five steps of three classes, which take as long as eight, and two evaluators of 60 images for two epochs.
    steps, evaluators = 5 * 8 * 10, 60 * 2 * 2 * 64 * estimate._EVALUATOR
    assert estimate.estimate(tiny_audit.TINY, SCOPE, COST)["inversion"] == pytest.approx(steps + evaluators)


def test_shadows_are_trainings():
    scope = dataclasses.replace(SCOPE, shadows=8)
    assert estimate.estimate(tiny_audit.TINY, scope, COST)["membership"] == 60 + 2 * 10 * 30 * 2 * 8


def test_questions_that_are_not_asked_cost_nothing():
    scope = dataclasses.replace(SCOPE, questions=("accuracy",))
    assert estimate.estimate(tiny_audit.TINY, scope, COST) == {"accuracy": 200}


def test_labels_alone_are_attacked_with_labels():
    groups = estimate.attack_forms(tiny_audit.TINY, gradients=False, scores=False)
    assert [forms for forms, _ in groups] == [("noise",), ("hopskipjump(norm=linf,queries=120)",)]
    groups = estimate.attack_forms(tiny_audit.TINY, gradients=False, scores=True)
    assert [forms for forms, _ in groups][1] == ("square(queries=20)",)


def test_hours_of_work_need_agreement():
    seconds = {"robustness": 3 * 3600.0}
    estimate.check_time(seconds, None)
    heard = []
    estimate.check_time(seconds, lambda line: heard.append(line) or True)
    assert heard == ["estimated 3.0 h of work"]
    with pytest.raises(UserError, match=r"an hour, or --yes\. Received: one of about 3\.0 h"):
        estimate.check_time(seconds, lambda line: False)


def test_an_hour_is_begun_without_a_question():
    estimate.check_time({"accuracy": 3600.0}, lambda line: pytest.fail("nobody should be asked"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (7200, "2.0 h")]
)
def test_times_are_told_as_people_say_them(seconds, text):
    assert estimate.duration(seconds) == text
