"""Policies: the default one, those of users, refusals that name the key, and gates."""

import re

import pytest

from tfinv.auditing.policy import default_text, load_policy
from tfinv.auditing.rule import FIELDS
from tfinv.catalogue import QUESTIONS
from tfinv.errors import UserError

# Ids that the standards have, as of OWASP AISVS 1.0 and MITRE ATLAS.
TAGS = {
    "OWASP AISVS 11.1.3", "OWASP AISVS 11.2.3", "OWASP AISVS 11.2.5",
    "MITRE ATLAS AML.T0015", "MITRE ATLAS AML.T0024.000", "MITRE ATLAS AML.T0024.001",
}  # fmt: skip

NEW = """
[rules.claimed-epsilon]
question = "membership"
kind = "membership"
measure = "epsilon"
attack = "strongest"
text = "epsilon, at least, by {attack}"
format = "number"
better = "lower"
good = 8
fair = 8
tags = ["OWASP AISVS 11.2.4"]
"""


def write(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_policy_has_rules_for_every_question_with_reason_and_sources():
    policy = load_policy()
    assert list(dict.fromkeys(rule.question for rule in policy.rules)) == list(QUESTIONS)
    for rule in policy.rules:
        assert rule.reason
        assert rule.good_source
        assert rule.fair_source
        assert {*rule.tags} <= TAGS
    assert {tag for rule in policy.rules for tag in rule.tags} == TAGS
    assert policy.fail_on == ()


def test_the_default_policy_has_what_the_auditors_state():
    auc = next(rule for rule in load_policy().rules if rule.name == "membership-auc")
    assert [auc.grade(value) for value in (0.54, 0.56, 0.61)] == ["good", "fair", "poor"]


def test_a_users_policy_replaces_keys_and_keeps_the_others(tmp_path):
    path = write(tmp_path, 'name = "ours"\nfail_on = ["robustness"]\n[rules.robust-accuracy]\ngood = 0.9\nfair = 0.8')
    policy, default = load_policy(path), load_policy()
    assert (policy.name, policy.fail_on) == ("ours", ("robustness",))
    changed = [new for new, old in zip(policy.rules, default.rules, strict=True) if new != old]
    assert [(rule.name, rule.good, rule.fair, rule.measure) for rule in changed] == [
        ("robust-accuracy", 0.9, 0.8, "accuracy")
    ]


def test_a_users_policy_adds_and_leaves_out_rules(tmp_path):
    policy = load_policy(write(tmp_path, f'without = ["membership-auc"]\n{NEW}'))
    names = [rule.name for rule in policy.rules]
    assert names[-1] == "claimed-epsilon"
    assert "membership-auc" not in names
    assert policy.name.endswith("policy.toml")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fail_onn = []", "fail_onn"),
        ("fail_on = 3", "fail_on"),
        ("fail_on = [3]", "fail_on"),
        ('fail_on = ["beauty"]', "beauty"),
        ('fail_at = "good"', "fail_at"),
        ('without = ["beauty"]', "beauty"),
        ("rules = 3", "rules"),
        ("rules.robust-accuracy = 3", "rules.robust-accuracy"),
        ("[rules.robust-accuracy]\nbest = 1", "'best'"),
        ('[rules.robust-accuracy]\ngood = "much"', "good"),
        ("[rules.robust-accuracy]\ngood = true", "good"),
        ("[rules.robust-accuracy]\ngood = 0.1", "good no worse than fair"),
        ("[rules.robust-accuracy]\neps = 3", "eps"),
        ('[rules.robust-accuracy]\nmeasure = "beauty"', "measure"),
        ('[rules.robust-accuracy]\nbetter = "sideways"', "better"),
        ('[rules.robust-accuracy]\ntext = "{beauty}"', "{beauty}"),
        ("[rules.robust-accuracy]\ntags = [3]", "tags"),
        ("[rules.robust-acuracy]\ngood = 0.5", "question, kind"),
        ("[rules.Robust]\n" + NEW.partition("]")[2], "Robust"),
        ('[rules.membership-auc]\nover = "start"', "over"),
        ("[rules.membership-auc]\nfpr = 0.1", "fpr"),
        ("[rules", "TOML"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path, text, named):
    with pytest.raises(UserError, match=re.escape(named)) as error:
        load_policy(write(tmp_path, text))
    assert str(error.value).startswith("Expected ")
    assert "Received: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_text_reads_no_attribute_of_anything(tmp_path):
    text = "{attack.__class__} {0} of {attack}"
    policy = load_policy(write(tmp_path, f'[rules.membership-auc]\ntext = "{text}"'))
    (rule,) = [rule for rule in policy.rules if rule.name == "membership-auc"]
    assert rule.describe({"attack": "lira"}) == "{attack.__class__} {0} of lira"


def test_a_policy_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="policy that can be read"):
        load_policy(tmp_path / "none.toml")
    with pytest.raises(UserError, match="policy that can be read"):
        load_policy(tmp_path)


def row(rule, grade=None, state="graded"):
    return {"rule": rule, "grade": grade, "state": state}


def test_gates_close_at_poor_and_where_nobody_measured(tmp_path):
    policy = load_policy(write(tmp_path, 'fail_on = ["robust-accuracy"]'))
    for grade, closed in (("good", []), ("fair", []), ("poor", ["robust-accuracy"])):
        assert policy.gates([row("robust-accuracy", grade), row("clean-accuracy", "poor")]) == closed
    for state in ("disbelieved", "not asked"):
        assert policy.gates([row("robust-accuracy", state=state)]) == ["robust-accuracy"]
    strict = load_policy(write(tmp_path, 'fail_on = ["robust-accuracy"]\nfail_at = "fair"'))
    assert strict.gates([row("robust-accuracy", "fair")]) == ["robust-accuracy"]
    assert strict.gates([row("robust-accuracy", "good")]) == []


def test_gates_of_the_command_line_are_added_and_a_question_is_all_of_its_rules():
    policy, rows = load_policy(), [row("membership-auc", "poor"), row("tpr-at-one-percent", "poor")]
    assert policy.gates(rows) == []
    assert policy.gates(rows, ["membership-auc"]) == ["membership-auc"]
    assert policy.gates(rows, ["membership"]) == ["membership-auc", "tpr-at-one-percent"]
    with pytest.raises(UserError, match="beauty"):
        policy.gates([], ["beauty"])


def test_the_default_policy_uses_every_key():
    keys = {line.split(" =")[0] for line in default_text().splitlines() if " = " in line}
    assert keys - {"name", "fail_on", "fail_at"} == FIELDS.keys()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('question = "membership"', 'question = "accuracy"', "question 'membership' for what the rule reads"),
        ("by {attack}", "at {fpr}", r"\{fpr\} in text for the measure tpr alone"),
    ],
)
def test_a_rule_reads_rows_of_its_question_and_says_what_it_has(tmp_path, old, new, message):
    with pytest.raises(UserError, match=message):
        load_policy(write(tmp_path, NEW.replace(old, new)))
