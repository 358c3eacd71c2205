import inverted
from tfinv.reporting.results.rows import rows_of
from tfinv.reporting.tables.cells import Cell
from tfinv.reporting.tables.inversion import comparison_tables, inversion_tables, knowledge_table

DASH = "\N{EN DASH}"


def _tables(results):
    return comparison_tables(rows_of(results, "inversion"), rows_of(results, "training"))


def test_one_table_an_attack_and_one_line_a_defence_with_references_first(inverted_results):
    *_, miface, brep = _tables(inverted_results)
    assert (miface.title, brep.title) == ("miface, budget: convergence", "brep, budget: 10,000 queries")
    assert miface.headings == (
        "test accuracy, %",
        *(f"acc@1, % {name}" for name in inverted.EVALUATORS),
        *(f"feature distance {name}" for name in inverted.EVALUATORS),
        "fresh-decoder error",
    )
    names = [n for (n,), _ in miface.lines]
    references = ["reference: held-out images", "reference: class mean"]
    assert names == [*references, "reference: start of miface", "none", "reversal", "shuffled"]
    assert miface.references == 3
    # The start is that of another attack.
    assert [n for (n,), _ in brep.lines] == [*references, "none", "reversal", "shuffled"]
    cells = {n: c for (n,), c in miface.lines}
    assert [c.text for c in cells["reversal"]] == ["98.0", "30.0", "25.0", "20.0", "0.9", "0.95", "1", "0.7"]
    assert cells["reversal"][1].notes == (f"28.0{DASH}32.0", "[22.0, 38.0]")
    assert cells["reference: class mean"][0] == Cell()
    assert cells["reference: class mean"][1].text == "83.0"
    assert f"The attacker had: {inverted.WHITE}." in miface.notes
    assert "Reveals more when higher for acc@1; lower for feature_distance, fresh-decoder error." in miface.notes
    assert "n = 120 (acc@1, feature_distance)." in miface.notes
    assert "n = 10,000 in each run (test accuracy)." in miface.notes


def test_the_overview_has_defences_down_and_attacks_across(inverted_results):
    acc, distance, *_ = _tables(inverted_results)
    assert acc.headings == (
        "test accuracy, %",
        "miface convergence",
        "brep 10,000 queries",
        "fresh-decoder error",
    )
    cells = {n: [c.text for c in cells] for (n,), cells in acc.lines}
    # The three evaluators give the reversal .3, .25 and .2; under brep .18, .13 and .08.
    assert cells["reversal"] == ["98.0", "25.0", "13.0", "0.7"]
    # Its feature distances .9, .95 and 1, over those of held-out images: .25, .3 and .35.
    cells = {n: [c.text for c in cells] for (n,), cells in distance.lines}
    assert cells["reversal"][1] == f"{(0.9 / 0.25 + 0.95 / 0.3 + 1 / 0.35) / 3:.3g}"


def test_an_overview_needs_several_attacks(inverted_results):
    inverted_results.rows = [r for r in inverted_results.rows if r.get("method") != "brep"]
    assert [t.title for t in _tables(inverted_results)] == ["miface, budget: convergence"]


def test_attacks_on_one_model_are_compared_with_each_other(inverted_results):
    rows = [r for r in inverted_results.rows if r.get("method") == "reference" or r.get("experiment") == "reversal"]
    inverted_results.rows = rows
    (table,) = _tables(inverted_results)
    assert table.stubs == ("attack", "budget")
    assert [n for n, _ in table.lines][2:] == [("miface", "convergence"), ("brep", "10,000 queries")]
    assert [c[1].text for _, c in table.lines][2:] == ["30.0", "18.0"]


def test_measures_of_another_kind_are_not_compared(inversion_row):
    assert comparison_tables([inversion_row("a", "ssim", 0.5)]) == []


def test_the_long_tables_name_references_as_such(inverted_results):
    first, *others = inversion_tables(rows_of(inverted_results, "inversion"))
    assert first.title == "References: no attack made these images"
    assert first.headings == ("held-out images", "class mean", "start of miface")
    (miface,) = (t for t in others if t.title == "Inversion by miface, budget: convergence")
    assert miface.notes[0] == f"The attacker had: {inverted.WHITE}."


def test_what_each_attacker_had_stands_beside_its_method(inverted_results):
    table = knowledge_table(rows_of(inverted_results, "inversion"))
    assert {names: cells[0].text for names, cells in table.lines} == {
        ("miface",): inverted.WHITE,
        ("brep",): inverted.LABELS,
        ("fresh-decoder",): "not said",
    }


def test_knowledge_that_no_row_has_makes_no_table(inversion_row):
    assert knowledge_table([inversion_row("a", "m", 1.0)]) is None
