"""Grades of hand-made rows: values, intervals, disbelief, and what stands all the same."""

import pytest

from audit_rows import ATTACK, EPS, accuracy, audit, check, inversion, membership, question
from tfinv.auditing.grading import grade
from tfinv.auditing.policy import load_policy
from tfinv.reporting.results.schema import check_row

POLICY = load_policy()


def graded(results):
    rows = grade(results, POLICY)
    for row in rows:
        check_row(row)
    return {row["rule"]: row for row in rows}


def test_every_rule_has_a_row_with_the_keys_of_the_schema():
    rows = graded(audit())
    assert list(rows) == [rule.name for rule in POLICY.rules]
    keys = {
        "kind", "experiment", "question", "rule", "text", "value", "ci95", "n", "format", "better", "good", "fair",
        "grade", "spans", "state", "reason", "checks", "tags", "gate",
    }  # fmt: skip
    assert all(row.keys() == keys for row in rows.values())
    assert {row["grade"] for row in rows.values()} == {"good"}
    assert {row["state"] for row in rows.values()} == {"graded"}


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("clean-accuracy", (0.91 - 0.1) / 0.9),
        ("calibration-error", 0.01),
        ("corruption-accuracy", 0.88 / 0.91),
        ("robust-accuracy", 0.7),
        # The second of .05 and .0: a single evaluator may be deceived.
        ("recognised-reconstructions", 0.0),
        ("membership-auc", 0.51),
        ("tpr-at-one-percent", 0.012),
        ("tpr-at-one-per-mille", 0.002),
    ],
)
def test_values_are_those_of_the_rows(rule, value):
    assert graded(audit())[rule]["value"] == pytest.approx(value)


def test_the_interval_follows_the_value_and_spans_name_what_it_reaches():
    rows = graded(audit(accuracy(0.52, "square", EPS)))
    row = rows["robust-accuracy"]
    assert row["ci95"] == pytest.approx([0.47, 0.57])
    assert (row["grade"], row["spans"]) == ("good", ["fair", "good"])
    assert row["text"] == "accuracy under square at eps 8/255"
    assert rows["membership-auc"]["spans"] == ["good"]
    clean = rows["clean-accuracy"]
    assert clean["ci95"] == pytest.approx([(0.86 - 0.1) / 0.9, (0.96 - 0.1) / 0.9])
    low, high = rows["corruption-accuracy"]["ci95"]
    assert (low, high) == pytest.approx((0.83 / 0.96, 0.93 / 0.86))


def test_the_strongest_attack_at_the_judged_eps_counts_and_no_artefact():
    rows = (accuracy(0.2, "fgsm-artefact", EPS), accuracy(0.1, "pgd", EPS / 2), accuracy(0.4, "fgsm", EPS))
    row = graded(audit(*rows))["robust-accuracy"]
    assert (row["value"], row["grade"]) == (0.4, "fair")


def test_a_guess_that_is_not_in_the_row_is_one_class_of_all():
    rows = audit(without=("accuracy",))
    rows.rows.append(accuracy(0.55))
    assert graded(rows)["clean-accuracy"]["value"] == pytest.approx(0.5)


def test_reconstructions_count_beyond_their_start_by_the_second_evaluator_of_the_best_method():
    better = [
        inversion(value, name, "gmi", measure)
        for name, *pair in (("cnn", 0.9, 0.1), ("mlp", 0.6, 0.2), ("resnet", 0.3, 0.1))
        for value, measure in zip(pair, ("acc@1", "start_acc@1"), strict=True)
    ]
    row = graded(audit(*better))["recognised-reconstructions"]
    assert (row["value"], row["grade"]) == (pytest.approx(0.4), "poor")
    # Newcombe's: each side adds the squares of the one's reach down and the other's reach up.
    assert row["ci95"] == pytest.approx([0.4 - 0.02**0.5, 0.4 + 0.02**0.5])
    assert "gmi" in row["text"]


def test_membership_takes_the_strongest_attack_over_all_records_at_the_curves_threshold():
    rows = [
        membership(0.9, attack="lira", group="cat"),
        membership(0.5, "tpr@1%", "lira", fpr=0.01, threshold="shadows"),
        membership(0.05, "tpr@1%", "rmia", fpr=0.01),
        membership(0.58, attack="rmia"),
    ]
    by_rule = graded(audit(*rows))
    assert (by_rule["membership-auc"]["value"], by_rule["membership-auc"]["grade"]) == (0.58, "fair")
    assert (by_rule["tpr-at-one-percent"]["value"], by_rule["tpr-at-one-percent"]["grade"]) == (0.05, "fair")
    assert by_rule["membership-auc"]["text"] == "AUC of rmia"


@pytest.mark.parametrize(("shadows", "value", "noted"), [(0, 0.52, True), (8, 0.52, False), (0, 0.7, False)])
def test_a_good_grade_without_shadow_models_says_so(shadows, value, noted):
    results = audit(membership(value, attack="confidence"))
    for row in results.rows_of("membership"):
        row["shadows"] = shadows
    row = graded(results)["membership-auc"]
    assert row["state"] == "graded"
    assert ("shadow models" in (row["reason"] or "")) == noted


def test_many_failed_checks_are_counted():
    names = ["losses-agree", "zero-gradients", "pgd-at-least-fgsm", "noise-weaker-than-fgsm"]
    reason = graded(audit(checks=[check(name, False) for name in names]))["robust-accuracy"]["reason"]
    assert "pgd-at-least-fgsm and 1 other failed" in reason


def test_what_was_not_asked_says_why():
    results = audit(without=("membership", "calibration"))
    results.rows.remove(question("membership"))
    results.rows.append(question("membership", "not asked", "pass --members"))
    rows = graded(results)
    assert rows["membership-auc"]["reason"] == "not asked: pass --members"
    assert rows["calibration-error"]["reason"] == "not asked: no figure for this rule"
    assert {rows[name]["state"] for name in ("membership-auc", "calibration-error")} == {"not asked"}
    assert "strongest" in rows["membership-auc"]["text"]


def test_an_attack_that_is_too_weak_leaves_no_good_grade():
    row = graded(audit(checks=[check("losses-agree", False)]))["robust-accuracy"]
    assert (row["state"], row["grade"], row["checks"]) == ("disbelieved", None, ["losses-agree"])
    assert row["reason"].startswith("not to be believed, because losses-agree failed: ")
    assert row["value"] == 0.7


def test_a_poor_figure_of_an_attack_that_is_too_weak_stays_poor():
    row = graded(audit(accuracy(0.01, "fgsm", EPS), checks=[check("losses-agree", False)]))["robust-accuracy"]
    assert (row["state"], row["grade"], row["checks"]) == ("graded", "poor", [])
    assert "losses-agree failed, which can only flatter" in row["reason"]
    assert "upper bound" in row["reason"]


@pytest.mark.parametrize("name", ["perturbation-uses-budget", "preprocessing-fits", "predictions-are-deterministic"])
def test_a_poor_figure_of_another_threat_or_model_is_not_graded(name):
    results = audit(accuracy(0.01, "fgsm", EPS), checks=[check(name, False), check("losses-agree", False)])
    row = graded(results)["robust-accuracy"]
    assert (row["state"], row["checks"]) == ("disbelieved", [name, "losses-agree"])


def test_too_few_others_forbid_the_rate_at_that_fpr_alone():
    results = audit(checks=[check("enough-nonmembers (0.1%)", False), check("enough-nonmembers (1%)")])
    states = {name: row["state"] for name, row in graded(results).items() if row["question"] == "membership"}
    expected = {"membership-auc": "graded", "tpr-at-one-percent": "graded", "tpr-at-one-per-mille": "disbelieved"}
    assert states == expected
    assert graded(results)["tpr-at-one-per-mille"]["limited"]


def test_ties_leave_the_auc_and_a_wrong_preprocessing_leaves_a_leak():
    tied = graded(audit(checks=[check("scores-not-tied", False)]))
    assert tied["membership-auc"]["grade"] == "good"
    assert tied["tpr-at-one-percent"]["state"] == "disbelieved"
    wrong = graded(audit(membership(0.9), checks=[check("preprocessing-fits", False)]))
    assert wrong["membership-auc"]["grade"] == "poor"
    assert {row["state"] for row in wrong.values() if row["question"] != "membership"} == {"disbelieved"}


def test_a_check_that_nobody_judged_takes_nothing_away():
    rows = graded(audit(checks=[check("losses-agree", None)]))
    assert rows["robust-accuracy"]["grade"] == "good"


def test_the_attack_is_named_even_where_the_policy_chose_it(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(f'[rules.robust-accuracy]\nattack = "{ATTACK}"', encoding="utf-8")
    (row,) = [r for r in grade(audit(accuracy(0.1, "fgsm", EPS)), load_policy(path)) if r["rule"] == "robust-accuracy"]
    assert row["value"] == 0.7
    assert ATTACK in row["text"]


def test_a_model_that_guesses_is_not_private_for_that():
    rows = graded(audit(checks=[check("clean-accuracy-beats-guessing", False)]))
    assert {row["state"] for row in rows.values() if row["question"] in ("membership", "calibration")} == {
        "disbelieved"
    }
