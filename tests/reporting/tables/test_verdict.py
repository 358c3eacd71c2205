import audited
import membership_rows
from tfinv.reporting import Check, Results
from tfinv.reporting.tables.verdict import Fact, check_facts, facts, verdict


def _check(name, passed):
    return Check(name, passed, "", "")


def _lines(rows):
    """The lines after that of the checks."""
    return [fact.text for fact in facts(Results("c", {}, rows, [_check("a", True)]))][1:]


def test_failed_checks_come_first_and_by_name():
    checks = [_check("a", True), _check("b", False), _check("c", None), _check("d", False)]
    assert check_facts(checks) == [
        Fact("2 of 4 checks failed: b, d.", "bad"),
        Fact("1 check was not judged: there was nothing to apply the rule to.", "open"),
    ]


def test_of_many_failed_checks_the_first_are_named():
    (fact,) = check_facts([_check(str(i), False) for i in range(10)])
    assert fact.text == "10 of 10 checks failed: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more."


def test_passed_checks():
    first, second = check_facts([_check("a", True), _check("b", None)])
    assert first == Fact("No check failed; 1 of 2 passed.", "good")
    assert second.tone == "open"


def test_no_evidence_is_not_success():
    assert check_facts([])[0].text.startswith("No check was made")
    assert check_facts([_check("a", None)])[0].text.startswith("None of the checks had anything to judge")
    assert {f.tone for f in (*check_facts([]), *check_facts([_check("a", None)]))} == {"open"}


def test_the_attack_whose_reconstructions_are_recognised_most_often(inversion_row):
    rows = [
        inversion_row("m", "acc@1", 0.4, evaluator="cnn"),
        inversion_row("m", "acc@1", 0.6, evaluator="mlp"),
        inversion_row("class mean", "acc@1", 0.9, evaluator="mlp") | {"method": "reference"},
        inversion_row("m", "acc@1", 0.8, evaluator="mlp") | {"method": "fresh-decoder"},
    ]
    name = "Reconstructions that an evaluator takes for their class, at most"
    assert _lines(rows) == [f"{name}: 60.0 % [54.0, 66.0] (mi-face, equal, mlp)."]
    rows += [inversion_row("m", "start_acc@1", v, evaluator=name) for v, name in ((0.7, "cnn"), (0.55, "mlp"))]
    assert _lines(rows) == [f"{name}: 60.0 % [54.0, 66.0] (mi-face, equal, mlp; 55.0 % of what it began with)."]


def test_the_lowest_accuracy_is_that_of_a_sound_attack(accuracy_row):
    rows = [
        accuracy_row("m", "none", 0.0, 0.9),
        accuracy_row("m", "pgd", 0.1, 0.4),
        accuracy_row("m", "fgsm", 0.1, 0.6),
        accuracy_row("m", "pgd-artefact", 0.1, 0.1),
    ]
    text = "Accuracy: 90.0 % [89.4, 90.6] on clean images, 40.0 % [39.0, 41.0] at the lowest (pgd, eps 0.1)."
    assert _lines(rows) == [text]
    assert verdict(Results("c", {}, rows, [_check("a", True)])) == f"No check failed; 1 of 1 passed. {text}"


def test_of_many_models_the_lowest_and_the_highest_have_a_line(accuracy_row, inversion_row):
    rows = [accuracy_row(f"m{i}", "pgd", 0.1, i / 10) for i in range(8)]
    rows += [inversion_row(f"m{i}", "acc@1", 1 - i / 10, evaluator="mlp") for i in range(8)]
    lines = _lines(rows)
    assert [line.partition(": ")[0] for line in lines] == [
        "Accuracy, lowest of 8, m0",
        "Accuracy, highest of 8, m7",
        "Reconstructions that an evaluator takes for their class, at most, lowest of 8, m7",
        "Reconstructions that an evaluator takes for their class, at most, highest of 8, m0",
    ]
    assert "70.0 % [69.1, 70.9] at the lowest (pgd, eps 0.1)" in lines[1]
    assert len(_lines(rows[:6])) == 6


def test_the_attack_that_names_the_most_members():
    rows = membership_rows.attack_rows("gap", -0.1) + membership_rows.attack_rows() + membership_rows.group_rows()
    text = "Members that an attack names, at most: 20.5 % [18.0, 23.0] at 1 % false positives (lira, AUC 0.812)."
    assert _lines(rows) == [text]


def test_membership_without_a_tpr_has_no_line():
    assert _lines([membership_rows.row("auc", 0.7, 0.6, 0.8)]) == []


def test_a_training_has_its_test_accuracy():
    row = {"kind": "training", "experiment": "none", "metric": "test_accuracy", "value": 0.98, "seed": 0}
    assert _lines([row | {"n": 100, "ci95": [0.93, 0.99]}]) == ["Test accuracy: 98.0 % [93.0, 99.0]."]


def test_the_verdict_of_an_audit_is_a_line_a_question_then_the_checks():
    results = Results("audit", {"left_out": ["5 images in place of 9"]}, audited.grades(), audited.CHECKS)
    lines = facts(results)
    assert [line.text.partition(":")[0] for line in lines[:7]] == [
        "6 questions",
        *("Accuracy", "Calibration", "Corruptions", "Robustness", "Inversion", "Membership"),
    ]
    assert lines[-1].text == "Left out to end in time: 5 images in place of 9."
    assert len(facts(results, with_questions=False)) == len(lines) - 6
