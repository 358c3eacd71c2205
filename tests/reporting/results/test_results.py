import json

import pytest

from tfinv.errors import UserError
from tfinv.reporting import Results
from tfinv.reporting.results import rows
from tfinv.reporting.results.schema import check_row
from tfinv.reporting.results.summary import summarise

COURSE = {"kind": "course", "experiment": "a", "method": "m", "step": 3, "cost": None, "confidence": 0.5, "seed": 0}
MEMBERSHIP = {"kind": "membership", "experiment": "a", "attack": "lira", "measure": "auc", "value": 0.5, "target": "t"}
INVERSION = {"kind": "inversion", "experiment": "a", "method": "m", "measure": "acc@1", "value": 0.5}


def test_results_come_back_as_they_were_written(inverted_results, workdir):
    inverted_results.write(workdir)
    results = Results.read(workdir)
    assert results.to_json() == inverted_results.to_json()
    assert results.to_json()["schema"] == 2


def test_schema_1_is_read(workdir, results):
    (workdir / "results.json").write_text(json.dumps(results.to_json() | {"schema": 1}))
    assert Results.read(workdir).command == "reproduce table1"


@pytest.mark.parametrize("schema", [0, 3, None, "2"])
def test_another_schema_is_refused(workdir, results, schema):
    (workdir / "results.json").write_text(json.dumps(results.to_json() | {"schema": schema}))
    with pytest.raises(UserError, match="schema 2"):
        Results.read(workdir)


def test_rows_are_held_to_the_schema_when_they_are_read(workdir):
    Results("c", {}, [COURSE, COURSE | {"step": None}]).write(workdir)
    with pytest.raises(UserError, match="step in each row of kind 'course'"):
        Results.read(workdir)


@pytest.mark.parametrize("seed", [None, 0, [0, 1], "all"])
def test_a_row_has_a_seed_or_several(seed):
    check_row(COURSE | {"seed": seed})
    check_row(INVERSION | {"seed": seed, "knowledge": "white box"})
    check_row(MEMBERSHIP | {"seed": seed, "fpr": 0.01, "threshold": "curve", "ci95": [0.1, 0.9], "fpr_ci95": None})


@pytest.mark.parametrize(
    "row",
    [
        "row",
        {"experiment": "a"},
        COURSE | {"step": -1},
        COURSE | {"step": "3"},
        COURSE | {"cost": "low"},
        COURSE | {"ci95": [0.1]},
        COURSE | {"method": 3},
        COURSE | {"seed": "some"},
        COURSE | {"seed": []},
        INVERSION | {"seed": ["a"]},
        INVERSION | {"seed": 0.5},
        INVERSION | {"knowledge": ["white box"]},
        INVERSION | {"measure": None},
        MEMBERSHIP | {"attack": None},
        MEMBERSHIP | {"target": None},
        MEMBERSHIP | {"fpr": "1%"},
        MEMBERSHIP | {"value": "high"},
        MEMBERSHIP | {"seed": [0, "b"]},
        MEMBERSHIP | {"ci95": [0.1]},
        MEMBERSHIP | {"threshold": 0.5},
    ],
)
def test_a_row_of_another_form_is_refused(row):
    with pytest.raises(UserError, match=r"^Expected .* Received: .*"):
        check_row(row)


def test_rows_that_no_view_shows_are_let_be():
    check_row({"kind": "weather"})


def test_a_pooled_row_gives_the_figure_and_single_seeds_the_spread():
    rows = [
        {"value": 0.4, "ci95": [0.1, 0.7], "n": 10, "seed": 0},
        {"value": 0.6, "ci95": [0.3, 0.9], "n": 10, "seed": 1},
        {"value": 0.52, "ci95": [0.3, 0.7], "n": 25, "seed": [0, 1]},
    ]
    summary = summarise(rows, "value")
    assert (summary.mean, summary.low, summary.high, summary.n) == (0.52, 0.3, 0.7, 25)
    assert (summary.minimum, summary.maximum, summary.runs, summary.seeds, summary.missing) == (0.4, 0.6, 2, 2, 0)
    assert summarise(rows[2:], "value").seeds == 2
    assert summarise([rows[0], rows[1], rows[2] | {"seed": "all"}], "value").seeds == 2


def test_an_artefact_is_one_by_its_attacks_name_and_not_by_a_path(accuracy_row):
    assert rows.is_artefact(accuracy_row("m", "fgsm-artefact", 0.1, 0.5))
    assert not rows.is_artefact(accuracy_row("m", "transfer(surrogate='artefacts/m.keras')", 0.1, 0.5))
