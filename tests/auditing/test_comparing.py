"""Comparison of two audits: paired by image, refused where they differ, and silent where one is disbelieved."""

import numpy as np
import pytest

from audit_folders import write_audit
from audit_rows import EPS, check, membership
from tfinv.auditing.comparing import compare
from tfinv.errors import UserError
from tfinv.reporting import Results
from tfinv.reporting.results.schema import check_row
from tfinv.reporting.tables.comparison import audit_difference_table, outcome, sentences

ALL = np.ones(40, bool)
LOW, HIGH = np.full(30, EPS / 2), np.full(30, 2 * EPS)


def rows_of(results):
    for row in results.rows:
        check_row(row)
    return {row["rule"]: row for row in results.rows}


@pytest.fixture
def pair(tmp_path):
    """Before: 30 images fall below the eps. After: ten of these withstand it, and five images are wrong."""
    after = np.where(np.arange(30) < 10, np.nan, LOW)
    return write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", np.arange(40) >= 5, after)


def test_accuracy_is_paired_image_by_image(pair):
    row = rows_of(compare(*pair))["clean-accuracy"]
    assert (row["a"], row["b"], row["difference"], row["n"]) == (1.0, 0.875, -0.125, 40)
    assert row["p"] == pytest.approx(2 * 0.5**5)
    assert row["ci95"][0] < -0.125 < row["ci95"][1]
    assert outcome(row) == "not told apart"


def test_robust_accuracy_counts_every_attack_and_only_images_under_attack(pair):
    row = rows_of(compare(*pair))["robust-accuracy"]
    assert (row["a"], row["b"], row["n"]) == (0.0, pytest.approx(10 / 30), 30)
    assert row["p"] == pytest.approx(2 * 0.5**10)
    assert row["text"] == "images that withstand every attack at eps 8/255"
    assert outcome(row) == "better"


def test_the_smallest_eps_has_a_paired_bootstrap(tmp_path):
    folders = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, HIGH)
    row = rows_of(compare(*folders))["smallest-eps"]
    assert (row["a"], row["b"]) == pytest.approx((EPS / 2, 2 * EPS))
    assert row["ci95"] == pytest.approx([1.5 * EPS, 1.5 * EPS])
    assert row["p"] < 0.01
    assert outcome(row) == "better"


def test_an_audit_differs_in_nothing_from_itself(pair):
    rows = rows_of(compare(pair[0], pair[0]))
    assert {row["difference"] for row in rows.values()} == {0.0}
    assert {outcome(row) for row in rows.values()} == {"not told apart"}


def test_other_rules_have_the_difference_of_their_figures(tmp_path):
    folders = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, LOW, membership(0.7))
    row = rows_of(compare(*folders))["membership-auc"]
    assert (row["difference"], row["p"], row["test"]) == (pytest.approx(0.19), None, "intervals")
    assert outcome(row) == "worse"


def test_what_is_disbelieved_in_one_is_not_compared(tmp_path):
    doubtful = check("perturbation-uses-budget", False)
    folders = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, HIGH, checks=[doubtful])
    results = compare(*folders)
    rows = rows_of(results)
    assert "smallest-eps" not in rows
    assert rows["robust-accuracy"]["difference"] is None
    assert outcome(rows["robust-accuracy"]) == "not compared"
    assert rows["robust-accuracy"]["reason"].startswith("b: not to be believed, because perturbation-uses-budget")
    assert [c.name for c in results.checks] == ["perturbation-uses-budget (b)"]


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"images_contents": "j"}, "images"),
        ({"eps": 0.3}, "eps"),
        ({"budget": "standard"}, "budget"),
        ({"split": "train"}, "split"),
    ],
)
def test_other_images_eps_or_budgets_are_refused(tmp_path, config, named):
    folders = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, LOW, config=config)
    with pytest.raises(UserError, match=f"two audits of the same {named}"):
        compare(*folders)


def test_other_results_and_missing_tables_are_refused(tmp_path, pair):
    Results("evaluate", {}).write(tmp_path / "c")
    with pytest.raises(UserError, match="tfinv evaluate"):
        compare(pair[0], tmp_path / "c")
    (pair[1] / "records.csv").unlink()
    with pytest.raises(UserError, match="without it"):
        compare(*pair)


def test_the_table_has_a_line_for_each_rule(pair):
    rows = compare(*pair).rows
    table = audit_difference_table(rows)
    assert len(table.lines) == len(rows)
    lines = {names[1]: [cell.text for cell in cells] for names, cells in table.lines}
    assert lines["clean-accuracy"][:5] == ["not told apart", "-12.5", "100.0", "87.5", "40"]
    assert lines["clean-accuracy"][-1] == "accuracy on clean images"
    assert audit_difference_table([]) is None
    assert ("b is better than a by robust-accuracy.", "good") in sentences(rows)
