"""Tables of membership attacks, cell by cell."""

import numpy as np
import pytest

import membership_rows
from membership_rows import attack_rows, group_rows, pooled_row, row
from tfinv.reporting.tables.cells import MISSING, Cell
from tfinv.reporting.tables.membership import measures_table, precision_table
from tfinv.reporting.tables.membership_details import (
    at_risk_table,
    difference_table,
    group_table,
    shadow_threshold_table,
)

HEADINGS = ("AUC", "advantage, %", "TPR at 1 % FPR, %", "TPR at 0.1 % FPR, %", "TPR at 0 % FPR, %", "epsilon, at least")


def test_an_attack_is_a_line_under_guessing():
    table = measures_table(attack_rows())
    assert (table.stubs, table.headings, table.references) == (("attack",), HEADINGS, 1)
    guessing, (names, cells) = table.lines
    assert guessing[0] == ("reference: guessing",)
    assert [c.text for c in guessing[1]] == ["0.500", "0.00", "1.0", "0.10", "0.00", "0"]
    assert names == ("lira",)
    assert cells == (
        Cell("0.812", ("[0.790, 0.830]",)),
        Cell("50.0", ("[45.0, 55.0]",)),
        Cell("20.5", ("[18.0, 23.0]",)),
        Cell("0.67", ("[0.10, 1.4]",)),
        Cell("0.40", ("[0.11, 1.0]",)),
        Cell("1.25"),
    )


def test_notes_say_what_the_figures_rest_on():
    text = " ".join(measures_table(attack_rows()).notes)
    assert text.startswith("1,000 members and 2,000 non-members. ")
    for method in ("AUC (DeLong)", "TPR at 1 % (bootstrap)", "TPR at 0.1 % (order statistics)"):
        assert method in text
    assert "whose true FPR is at most 0.15 % (95 % bound)" in text
    assert "lower 95 % bound at delta 0, " in text
    assert "Means" not in text


def test_experiments_have_their_lines_together():
    rows = [r for name in "ab" for e in ("none", "dp") for r in attack_rows(name, experiment=e)]
    table = measures_table(rows)
    assert table.stubs == ("experiment", "attack")
    names = [names for names, _ in table.lines]
    assert names == [("reference: guessing", MISSING), *((e, name) for e in ("none", "dp") for name in "ab")]


def test_rows_over_targets_give_value_and_interval_and_single_ones_the_range():
    single = [r for t in range(34) for r in attack_rows(shift=t / 1000, target=f"shadow {t}")]
    pooled = [
        pooled_row("auc", 0.829, 0.82, 0.838),
        pooled_row("tpr@1%", 0.2214, 0.21, 0.233, fpr=0.01, threshold="curve"),
    ]
    table = measures_table([*single, *pooled])
    _, (_, cells) = table.lines
    assert cells[0] == Cell("0.829", (f"0.812{MISSING}0.846", "[0.820, 0.838]"))
    assert cells[2] == Cell("22.1", (f"20.5{MISSING}23.8", "[21.0, 23.3]"))
    assert cells[5] == Cell(f"1.25{MISSING}1.28")  # a mean of bounds is none
    text = " ".join(table.notes)
    assert "1,000 members and 2,000 non-members of each target." in text
    assert "Means over 34 targets and 1 seed; [a, b]: 95 % interval over them (Student)." in text
    assert "DeLong" not in text


def test_runs_that_nothing_pools_do_not_pass_for_one_interval():
    rows = [row("auc", v, v - 0.1, v + 0.1, seed=s) for s, v in enumerate((0.6, 0.7))]
    table = measures_table(rows)
    assert table.lines[1][1][0] == Cell("0.650", (f"0.600{MISSING}0.700", "[0.500, 0.800]"))
    assert "from the lowest bound of a 95 % interval to the highest" in " ".join(table.notes)


def test_thresholds_of_shadows_and_groups_stay_out_of_it():
    (_, (_, cells)) = measures_table([*attack_rows(), *group_rows()]).lines
    assert cells[2].text == "20.5"
    assert len(precision_table([*attack_rows(), *group_rows()]).lines) == 2


def test_a_measure_without_a_figure_is_no_zero():
    rows = [row("auc", 0.5, 0.4, 0.6), row("auc", None, attack="gap"), row("advantage", 0.1, 0.0, 0.2)]
    _, lira, gap = measures_table(rows).lines
    assert [c.text for c in lira[1]] == ["0.500", "10.0"]
    assert gap[1] == (Cell(notes=("no figure",)), Cell())


def test_precision_at_each_fpr_and_prior_under_the_prior_itself():
    table = precision_table(attack_rows())
    assert table.headings == ("50 % are members, at 1 % FPR", "1 % are members, at 1 % FPR")
    guessing, (names, cells) = table.lines
    assert [c.text for c in guessing[1]] == ["50.0", "1.0"]
    assert table.notes[1] == "[a, b]: of the ends of the TPR's 95 % interval."
    assert (names, cells) == (("lira",), (Cell("95.3", ("[94.7, 95.8]",)), Cell("17.2", ("[15.4, 18.9]",))))


def test_the_realised_fpr_stands_beside_the_one_aimed_at():
    table = shadow_threshold_table(attack_rows())
    assert table.stubs == ("attack", "FPR aimed at")
    ((names, cells),) = table.lines
    assert names == ("lira", "1 %")
    assert cells == (
        Cell("19.8", ("[17.5, 22.4]",)),
        Cell("1.2", ("[0.86, 1.8]",)),
        Cell("20.5", ("[18.0, 23.0]",)),
    )


def test_groups_have_both_thresholds_and_their_sizes():
    table = group_table([*attack_rows(), *group_rows()])
    assert table.stubs == ("attack", "group")
    assert table.headings[1:3] == ("TPR at 1 % FPR of the group, %", "TPR at 1 % FPR of all, %")
    (names, cells), (other, _) = table.lines
    assert (names, other) == (("lira", "cat"), ("lira", "7"))
    assert [c.text for c in cells] == ["0.900", "45.0", "30.0", "100", "200"]
    assert "of 2 groups one in twenty" in table.notes[0]


def test_differences_have_a_sign_and_the_training_that_they_are_less():
    shared = {"kind": "membership difference", "experiment": "trades", "than": "none", "attack": "lira", "targets": 16}
    rows = [
        shared | {"measure": measure, "value": value, "ci95": ends}
        for measure, value, ends in (
            ("auc", 0.021, [0.01, 0.032]),
            ("advantage", 0.1, [0.0, 0.2]),
            ("tpr@1%", -0.0125, None),
        )
    ]
    table = difference_table(rows)
    assert (table.stubs, table.headings) == (("training", "less", "attack"), ("AUC", "TPR at 1% FPR, points"))
    assert table.lines == ((("trades", "none", "lira"), (Cell("+0.021", ("[+0.010, +0.032]",)), Cell("-1.25"))),)
    assert "over 16 targets" in table.notes[0]


@pytest.mark.parametrize(
    "make", [measures_table, precision_table, shadow_threshold_table, group_table, difference_table]
)
def test_without_rows_there_is_no_table(make):
    assert make([]) is None


def test_records_at_risk_of_one_target(tmp_path):
    scores = membership_rows.single_scores(classes=("cat", "dog"))
    assert at_risk_table(scores) is None
    scores.write(tmp_path)
    table = at_risk_table(type(scores).read(tmp_path))
    assert table.title == "Records most at risk under lira"
    assert table.lines[0] == (("no. 0", "cat"), (Cell("100.0"), Cell(), Cell("100.0")))
    assert table.lines[2] == (("no. 2", "cat"), (Cell("0.00"), Cell(), Cell("75.0")))
    assert [names[0] for names, _ in table.lines] == ["no. 0", "no. 1", "no. 2", "no. 3"]  # members only
    assert "With one target nothing says" in table.notes[1]


def test_records_at_risk_of_several_targets(tmp_path):
    rng = np.random.default_rng(0)
    members = np.array([[True] * 30 + [False] * 30] * 3)
    scores = rng.normal(size=(1, 3, 60))
    scores[0, :, 5] = (9, 8, 7)
    written = membership_rows.Scores(["rmia"], scores, members, np.zeros(60, int))
    written.write(tmp_path)
    table = at_risk_table(written.read(tmp_path))
    names, (hits, alarms, place) = table.lines[0]
    assert (names, hits.text, hits.notes[1], alarms, place) == (("no. 5", "0"), "100.0", "of 3", Cell(), Cell("100.0"))
    assert hits.notes[0] == "[29.2, 100.0]"  # Clopper and Pearson's: .025 ** (1/3)
    assert "Stability over 3 pairs of targets: rank correlation" in table.notes[1]


def test_complements_share_no_members(tmp_path):
    scores = membership_rows.paired_scores()
    scores.write(tmp_path)
    assert "No two targets have ten members in common" in at_risk_table(scores.read(tmp_path)).notes[1]
