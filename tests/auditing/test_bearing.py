"""The table of what failed checks take away: every check has its place, and the unlisted one takes all."""

from audit_rows import audit, check
from tests.test_docs import Names
from tfinv.auditing.bearing import BEARINGS
from tfinv.auditing.grading import grade
from tfinv.auditing.policy import load_policy
from tfinv.catalogue import QUESTIONS


def test_every_check_has_its_place_and_every_place_a_check():
    assert sorted(BEARINGS) == sorted(Names().emitted())


def test_bearings_name_questions_and_measures_that_exist():
    measures = {rule.measure for rule in load_policy().rules}
    for bearings in BEARINGS.values():
        for bearing in bearings:
            assert {*bearing.questions} <= {*QUESTIONS}
            assert {*bearing.measures} <= measures
            assert bearing.reason


def test_a_check_that_nobody_entered_forbids_every_grade():
    rows = grade(audit(checks=[check("no-such-check (here)", False)]), load_policy())
    assert {row["state"] for row in rows} == {"disbelieved"}


def test_a_check_of_comparisons_forbids_none():
    rows = grade(audit(checks=[check("gives-away-less (shuffled)", False)]), load_policy())
    assert {row["state"] for row in rows} == {"graded"}


def test_each_question_that_has_checks_can_be_disbelieved():
    for name, bearings in BEARINGS.items():
        rows = grade(audit(checks=[check(f"{name} (1%)", False)]), load_policy())
        disbelieved = {row["question"] for row in rows if row["state"] == "disbelieved"}
        assert disbelieved == {question for bearing in bearings for question in bearing.questions}, name
