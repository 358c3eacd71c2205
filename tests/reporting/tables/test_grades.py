"""Verdicts and table of the rows of kind "grade"."""

import pytest

import audited
from tfinv.reporting.tables.grades import grade_table, headline, question_verdicts


def _one(*rows):
    (verdict,) = question_verdicts(rows)
    return verdict


def test_a_question_has_the_grade_of_its_worst_rule():
    rows = [audited.grade("inversion", "a", 0.95, "good"), audited.grade("inversion", "b", 0.8, "fair", n=20)]
    verdict = _one(*rows)
    assert (verdict.word, verdict.tone, verdict.figure, verdict.interval) == ("fair", "fair", "80.0 %", "[78.0, 82.0]")
    assert (verdict.n, verdict.rules, verdict.thresholds) == ("20", 2, "good from 90.0 %, fair from 70.0 %")


def test_what_is_not_believed_has_no_grade_however_good_another_rule_is():
    rows = [
        audited.grade("robustness", "a", 0.95, "good"),
        audited.grade(
            "robustness", "b", 0.95, None, state="disbelieved", reason="not to be believed, because x failed"
        ),
    ]
    verdict = _one(*rows)
    assert (verdict.word, verdict.figure, verdict.scale) == ("not to be believed", "", None)
    assert verdict.sentence == "Robustness: not to be believed, because x failed."


def test_a_poor_rule_is_enough_whatever_another_would_be():
    doubt = {"state": "disbelieved", "reason": "not to be believed, because x failed", "checks": ["x"]}
    rows = [audited.grade("membership", "auc", 0.5, "poor"), audited.grade("membership", "tpr", 0.95, None, **doubt)]
    verdict = _one(*rows)
    assert (verdict.word, verdict.figure) == ("poor", "50.0 %")
    assert verdict.text == "auc; tpr not to be believed, because x failed"


def test_a_doubt_of_one_rule_alone_leaves_the_grades_of_the_others():
    doubt = {"state": "disbelieved", "reason": "not to be believed, because x failed", "checks": ["x"], "limited": True}
    rows = [audited.grade("membership", "auc", 0.95, "good"), audited.grade("membership", "tpr", 0.95, None, **doubt)]
    assert (_one(*rows).word, _one(*rows).text) == ("good", "auc; tpr not to be believed, because x failed")
    assert _one(rows[1]).word == "not to be believed"


def test_several_reasons_are_one_phrase():
    reasons = [f"not to be believed, because {name} failed" for name in ("x", "y")]
    rows = [audited.grade("inversion", r, None, None, state="disbelieved", reason=r) for r in reasons]
    assert _one(*rows).text == "not to be believed, because x failed; because y failed"


def test_what_was_not_asked_says_why():
    row = audited.grade("membership", "a", None, None, state="not asked", reason="not asked: pass --members")
    assert _one(row).sentence == "Membership: not asked: pass --members."


def test_numbers_stay_numbers():
    row = audited.grade(
        "calibration", "nll", 1.25, "poor", format="number", better="lower", good=0.5, fair=1.0, ci95=[1.1, 1.4]
    )
    verdict = _one(row)
    assert (verdict.figure, verdict.interval, verdict.thresholds) == (
        "1.25",
        "[1.1, 1.4]",
        "good up to 0.5, fair up to 1",
    )


@pytest.mark.parametrize(("better", "zones"), [("higher", ["bad", "fair", "good"]), ("lower", ["good", "fair", "bad"])])
def test_the_scale_has_the_zones_in_the_order_of_their_thresholds(better, zones):
    good, fair = (0.8, 0.4) if better == "higher" else (0.4, 0.8)
    row = audited.grade("accuracy", "a", 0.6, "fair", better=better, good=good, fair=fair, ci95=[0.5, 0.7])
    scale = _one(row).scale
    assert [zone for zone, *_ in scale.zones] == zones
    # From .34 to .86: a margin of 15 % of the distance of the thresholds.
    assert scale.value == pytest.approx(50)
    assert scale.left == pytest.approx(100 * 0.16 / 0.52, abs=0.01)
    assert scale.zones[0][2] == scale.zones[1][1] == pytest.approx(100 * 0.06 / 0.52, abs=0.01)
    assert scale.zones[-1][2] == 100


def test_the_headline_counts_grades_and_names_gates():
    text, tone = headline(audited.grades())
    assert text == (
        "6 questions: 1 poor, 2 fair, 1 good, 1 not to be believed, 1 not asked. The audit fails: recognised."
    )
    assert tone == "bad"
    assert headline([audited.grade("accuracy", "a", 0.95, "good")]) == ("1 question: 1 good.", "good")
    assert headline([audited.grade("accuracy", "a", None, None, state="not asked")])[1] == "open"


def test_the_table_has_all_rules():
    table = grade_table(audited.grades())
    assert [names[0] for names, _ in table.lines].count("inversion") == 2
    cells = {names[1].partition(":")[0]: [c.text for c in line] for names, line in table.lines}
    assert cells["clean-accuracy"] == ["94.1", "1,000", "good", "good from 90.0 %, fair from 70.0 %", "\N{EN DASH}"]
    assert cells["robust-accuracy"][2] == "not to be believed, because losses-agree failed"
    assert grade_table([]) is None
