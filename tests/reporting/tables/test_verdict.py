import membership_rows
from tfinv.reporting import Check, Results
from tfinv.reporting.tables.verdict import checks_sentence, verdict


def _check(name, passed):
    return Check(name, passed, "", "")


def test_failed_checks_come_first_and_by_name():
    checks = [_check("a", True), _check("b", False), _check("c", None), _check("d", False)]
    assert checks_sentence(checks) == "2 of 4 checks failed: b, d. Not judged: c."


def test_passed_checks():
    assert checks_sentence([_check("a", True), _check("b", None)]) == "No check failed; 1 of 2 passed. Not judged: b."


def test_no_evidence_is_not_success():
    assert checks_sentence([]).startswith("No check was made")
    assert checks_sentence([_check("a", None)]).startswith("None of the checks had anything to judge")


def test_the_attack_whose_reconstructions_are_recognised_most_often(inversion_row):
    rows = [
        inversion_row("m", "acc@1", 0.4, evaluator="cnn"),
        inversion_row("m", "acc@1", 0.6, evaluator="mlp"),
        inversion_row("class mean", "acc@1", 0.9, evaluator="mlp") | {"method": "reference"},
        inversion_row("m", "acc@1", 0.8, evaluator="mlp") | {"method": "fresh-decoder"},
    ]
    text = verdict(Results("c", {}, rows, [_check("a", True)]))
    assert text.endswith("takes for their class, at most: m 60.0 % (mi-face, equal, mlp).")
    rows += [inversion_row("m", "start_acc@1", v, evaluator=name) for v, name in ((0.7, "cnn"), (0.55, "mlp"))]
    text = verdict(Results("c", {}, rows, [_check("a", True)]))
    assert text.endswith("at most: m 60.0 % (mi-face, equal, mlp; 55.0 % of what it began with).")


def test_the_lowest_accuracy_is_that_of_a_sound_attack(accuracy_row):
    rows = [
        accuracy_row("m", "none", 0.0, 0.9),
        accuracy_row("m", "pgd", 0.1, 0.4),
        accuracy_row("m", "fgsm", 0.1, 0.6),
        accuracy_row("m", "pgd-artefact", 0.1, 0.1),
    ]
    text = verdict(Results("c", {}, rows, [_check("a", True)]))
    assert text == (
        "No check failed; 1 of 1 passed. Accuracy: m 90.0 % on clean images, 40.0 % at the lowest (pgd, eps 0.1)."
    )


def test_of_many_models_the_paragraph_names_the_lowest_and_the_highest(accuracy_row, inversion_row):
    rows = [accuracy_row(f"m{i}", "pgd", 0.1, i / 10) for i in range(8)]
    rows += [inversion_row(f"m{i}", "acc@1", 1 - i / 10, evaluator="mlp") for i in range(8)]
    text = verdict(Results("c", {}, rows, [_check("a", True)]))
    assert "Accuracy: m0 0.0 % at the lowest (pgd, eps 0.1), to m7 70.0 % at the lowest (pgd, eps 0.1); 6 more" in text
    assert "at most: m7 30.0 % (mi-face, equal, mlp), to m0 100.0 % (mi-face, equal, mlp); 6 more between" in text
    few = verdict(Results("c", {}, rows[:6], [_check("a", True)]))
    assert all(f"m{i} " in few for i in range(6))


def test_the_attack_that_names_the_most_members():
    rows = membership_rows.attack_rows("gap", -0.1) + membership_rows.attack_rows() + membership_rows.group_rows()
    text = verdict(Results("c", {}, rows, [_check("a", True)]))
    assert text.endswith(
        "Members that an attack names, at most: model 20.5 % at 1 % false positives (lira, AUC 0.812)."
    )


def test_membership_without_a_tpr_has_no_sentence():
    text = verdict(Results("c", {}, [membership_rows.row("auc", 0.7, 0.6, 0.8)], [_check("a", True)]))
    assert text == "No check failed; 1 of 1 passed."
