"""Differential privacy in the table of trainings: no epsilon without what it is stated for."""

import io

from tfinv.reporting import Results
from tfinv.reporting.console import print_results
from tfinv.reporting.html import render
from tfinv.reporting.markdown import markdown
from tfinv.reporting.tables.accuracy import training_table

TERMS = {
    "delta": 1e-5,
    "sampling": "Poisson",
    "relation": "add or remove one example",
    "accountant": "PLD (dp-accounting)",
}
STATED = (
    "delta 1e-05, sampling Poisson, data sets that differ by: add or remove one example, accountant PLD (dp-accounting)"
)


def rows(terms):
    keys = {"kind": "training", "experiment": "dp_sgd", "seed": 0}
    accuracy = {"metric": "test_accuracy", "value": 0.6, "n": 100, "ci95": [0.5, 0.7]}
    return [keys | accuracy, keys | {"metric": "epsilon", "value": 2.1, **terms}]


def test_every_view_says_what_an_epsilon_is_stated_for(tmp_path):
    results = Results("train", {}, rows(TERMS), [])
    out = io.StringIO()
    print_results(results, out)
    for text in (out.getvalue(), markdown(results), render(results, tmp_path)):
        plain = " ".join(text.replace("\\", "").split())
        assert f"epsilon of dp_sgd: {STATED}." in plain


def test_an_epsilon_of_before_is_no_bound():
    table = training_table(rows({}))
    assert "batches were shuffled: it is no bound" in table.notes[-1]


def test_several_seeds_are_one_note():
    table = training_table([*rows(TERMS), *(row | {"seed": 1} for row in rows(TERMS))])
    assert sum("epsilon of" in note for note in table.notes) == 1


def test_other_trainings_have_none():
    assert not any("epsilon" in note for note in training_table(rows({})[:1]).notes)
