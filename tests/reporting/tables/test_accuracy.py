import pytest

from tfinv.errors import UserError
from tfinv.reporting.results import Results
from tfinv.reporting.results.rows import attack_names, rows_of, show_eps
from tfinv.reporting.results.summary import summarise
from tfinv.reporting.tables.accuracy import accuracy_table, attack_table, mapping_table, training_table
from tfinv.reporting.tables.cells import Cell
from tfinv.reporting.tables.inversion import inversion_tables

DASH = "\N{EN DASH}"


def _cells(table):
    return {names: cells for names, cells in table.lines}


def test_mean_and_spread_over_seeds_have_exact_values():
    rows = [
        {"accuracy": 0.5, "ci95": [0.4, 0.6], "n": 100, "seed": 0},
        {"accuracy": 0.75, "ci95": [0.65, 0.85], "n": 100, "seed": 1},
    ]
    summary = summarise(rows, "accuracy")
    assert (summary.mean, summary.minimum, summary.maximum) == (0.625, 0.5, 0.75)
    assert (summary.low, summary.high, summary.n) == (0.4, 0.85, 100)
    assert (summary.runs, summary.seeds, summary.missing) == (2, 2, 0)


def test_a_run_without_a_figure_is_counted_and_not_taken_for_zero():
    rows = [{"value": 4.0, "seed": 0, "n": 10}, {"value": None, "seed": 1, "n": 10}]
    summary = summarise(rows, "value")
    assert (summary.mean, summary.runs, summary.missing) == (4.0, 1, 1)
    assert summarise(rows[1:], "value").mean is None


def test_one_run_without_an_interval_leaves_none_for_all():
    rows = [{"value": 1.0, "ci95": [0.9, 1.1], "seed": 0}, {"value": 2.0, "ci95": None, "seed": 1}]
    assert summarise(rows, "value").low is None


def test_accuracy_table(results):
    table = accuracy_table(rows_of(results, "accuracy"))
    assert table.stubs == ("experiment", "eps")
    assert table.headings == ("poster", "clean", "fgsm", "pgd", "fgsm-artefact")
    assert table.artefacts == {"fgsm-artefact"}
    assert len(table.lines) == 16
    cells = _cells(table)
    assert [c.text for c in cells["baseline", "0"]] == ["96.8", "98.9", DASH, DASH, "98.5"]
    assert [c.text for c in cells["shuffled", "0.1"]] == ["94.9", DASH, "74.7", "48.8", "96.5"]
    # The reversal experiment has no figure on the poster.
    assert cells["reversal", "0.25"][0] == Cell(DASH)
    assert cells["shuffled", "0.25"][2].notes == (f"52.6{DASH}53.0", "[51.6, 54.0]")
    assert any("mean over 2 seeds" in n for n in table.notes)
    assert "n = 10,000 in each run." in table.notes


def test_one_seed_shows_its_interval_alone(accuracy_row):
    table = accuracy_table([accuracy_row("a", "none", 0.0, 0.5)])
    assert table.lines == ((("a", "0"), (Cell("50.0", ("[49.0, 51.0]",)),)),)
    assert table.notes[1:] == ("[a, b]: 95 % interval.", "n = 10,000.")


def test_what_differs_between_cells_stands_in_the_cells(accuracy_row):
    rows = [
        accuracy_row("a", "none", 0.0, 0.5),
        accuracy_row("b", "none", 0.0, 0.5) | {"n": 50},
        accuracy_row("b", "none", 0.0, 0.7, seed=1) | {"n": 50},
    ]
    cells = _cells(accuracy_table(rows))
    assert cells["a", "0"][0].notes[1:] == ("1 seed", "n 10,000")
    assert cells["b", "0"][0].notes[0] == f"50.0{DASH}70.0"
    assert cells["b", "0"][0].notes[2:] == ("2 seeds", "n 50")


def test_a_lost_figure_shows_as_a_dash_with_its_reason(accuracy_row):
    table = accuracy_table([accuracy_row("a", "none", 0.0, 0.5) | {"accuracy": None}])
    assert table.lines[0][1] == (Cell(DASH, ("no figure",)),)


def test_zero_is_zero(accuracy_row):
    table = accuracy_table([accuracy_row("a", "pgd", 0.25, 0.0)])
    assert table.lines[0][1][0].text == "0.0"


def test_the_same_attack_with_other_settings_is_another_column(accuracy_row):
    rows = [accuracy_row("a", "pgd", e, 0.5, spec=f"pgd(eps={e},steps={s})") for s in (10, 40) for e in (0.1, 0.2)]
    assert accuracy_table(rows).headings == ("pgd(steps=10)", "pgd(steps=40)")


def test_eps_in_the_spec_makes_no_other_column(accuracy_row):
    rows = [accuracy_row("a", "pgd", e, 0.5, spec=f"pgd(eps={e})") for e in (0.1, 0.2)]
    assert attack_names(rows) == ["pgd", "pgd"]


def test_norms_are_told_apart(accuracy_row):
    rows = [accuracy_row("a", "pgd", 0.1, 0.5, norm=n) for n in ("linf", "l2")]
    assert attack_names(rows) == ["pgd linf", "pgd l2"]


def test_inversion_tables(results):
    tables = inversion_tables(rows_of(results, "inversion"))
    assert [t.title for t in tables] == [f"Inversion by mi-face, budget: {b}" for b in ("equal", "convergence")]
    assert tables[0].headings == ("baseline", "positive", "reversal", "shuffled")
    cells = _cells(tables[0])
    assert [c.text for c in cells["accuracy@1", "cnn", "higher"]] == ["0.63", "0.72", "0.13", "0.35"]
    assert cells["accuracy@1", "robust mlp", "higher"][2] == Cell(DASH)
    assert [c.text for c in cells["distance to nearest", "cnn", "lower"]] == ["469", "358", "1,086", "815"]
    assert ("ssim", DASH, "higher") in cells


def test_a_measure_without_direction_says_none(inversion_row):
    table = inversion_tables([inversion_row("a", "m", 1.0)])[0]
    assert table.lines[0][0] == ("m", DASH, DASH)


def test_training_table(results):
    table = training_table(rows_of(results, "training"))
    assert table.headings == ("accuracy", "val_accuracy", "loss", "epochs", "seconds")
    assert [c.text for c in table.lines[0][1]] == ["0.996", "0.991", "0.03", "3", "71.5"]


def test_attack_table_keeps_the_largest_distance_of_all_seeds(accuracy_row):
    rows = [accuracy_row("a", "pgd", 0.1, 0.5, seed=s, max_distance=0.1 + 0.1 * s) for s in (0, 1)]
    table = attack_table(rows)
    assert table.headings == ("largest distance",)
    assert table.lines == ((("a", "pgd", "0.1"), (Cell("0.2"),)),)


def test_nothing_measured_makes_no_table(accuracy_row):
    assert accuracy_table([]) is None
    assert attack_table([accuracy_row("a", "none", 0.0, 0.5)]) is None
    assert inversion_tables([]) == []
    assert training_table([]) is None
    assert mapping_table("t", "s", {}) is None


def test_mapping_table_flattens():
    table = mapping_table("t", "s", {"a": {"b": [1, None]}, "c": {}, "d": "x"})
    assert table.lines == (
        (("a.b",), (Cell("[1, null]"),)),
        (("c",), (Cell("{}"),)),
        (("d",), (Cell("x"),)),
    )


@pytest.mark.parametrize(
    ("eps", "text"),
    [(0.0, "0"), (0.05, "0.05"), (8 / 255, "8/255"), (0.2, "0.2"), (1.0, "1"), (0.03, "0.03")],
)
def test_eps_is_written_as_one_would_type_it(eps, text):
    assert show_eps(eps) == text


@pytest.mark.parametrize(
    "row",
    [
        {"kind": "accuracy", "experiment": "a", "attack": "none"},
        {"kind": "accuracy", "experiment": "a", "attack": "none", "eps": "0.1"},
        {"kind": "accuracy", "experiment": ["a"], "attack": "none", "eps": 0.1},
        {"kind": "inversion", "experiment": "a"},
    ],
)
def test_a_row_of_another_form_is_refused(row):
    with pytest.raises(UserError, match=r"^Expected .* Received: .*"):
        rows_of(Results("c", {}, [row]), row["kind"])


@pytest.mark.parametrize("value", ["0.5", True, [0.5]])
def test_a_value_that_is_no_number_is_refused(value, accuracy_row):
    with pytest.raises(UserError, match="Expected a number"):
        accuracy_table([accuracy_row("a", "none", 0.0, 0.5) | {"accuracy": value}])


@pytest.mark.parametrize("pair", [[0.1], "ab", {"low": 0}])
def test_an_interval_of_another_form_is_refused(pair, accuracy_row):
    with pytest.raises(UserError):
        accuracy_table([accuracy_row("a", "none", 0.0, 0.5) | {"ci95": pair}])
