from tfinv.evaluation.training_checks import no_collapse

BEST = {"best_epoch": 4, "best_epoch_robust_accuracy": 0.4, "best_epoch_single_step_accuracy": 0.45}
COLLAPSE = {"collapse_epoch": 7, "collapse_epoch_robust_accuracy": 0.0, "collapse_epoch_single_step_accuracy": 0.9}
LAST = {"": 9, "_robust_accuracy": 0.05, "_single_step_accuracy": 0.9}


def check_of(metrics):
    rows = [{"metric": k, "value": v} for k, v in ({"test_accuracy": 0.8} | metrics).items()]
    return no_collapse(rows)


def test_collapse_is_told_with_both_epochs():
    check = check_of(BEST | COLLAPSE)
    assert check.passed is False
    assert check.evidence == (
        "after epoch 4 40.00 % withstand several steps and 45.00 % a single one, "
        "after epoch 7 0.00 % withstand several steps and 90.00 % a single one"
    )


def test_the_best_epoch_may_be_the_last_and_withstand_only_single_steps():
    check = check_of({f"{name}_epoch{k}": v for name in ("best", "collapse") for k, v in LAST.items()})
    assert check.passed is False
    assert check.evidence == "after epoch 9 5.00 % withstand several steps and 90.00 % a single one"


def test_without_collapse_it_passes_and_without_an_attack_there_is_nothing_to_judge():
    assert check_of(BEST).passed is True
    assert "epoch 4" in check_of(BEST).evidence
    assert check_of({"best_epoch": 4}).passed is None
    assert "no robust accuracy was measured" in check_of({"best_epoch": 4}).evidence


def test_an_attack_that_no_single_step_can_be_held_against_judges_nothing():
    check = check_of({"best_epoch": 4, "best_epoch_robust_accuracy": 0.4})
    assert check.passed is None
    assert "none of several steps, or in a norm without" in check.evidence
