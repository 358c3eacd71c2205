"""Markdown view."""

import inverted
import membership_rows
from tfinv.reporting import Results, write_markdown
from tfinv.reporting.markdown import markdown


def test_it_has_every_comparison_and_every_check(tmp_path):
    results = inverted.make_results(tmp_path)
    text = write_markdown(results, tmp_path).read_text()
    assert text == markdown(results)
    for check in results.checks:
        assert check.name in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings)) > 2
    for block in text.split("\n\n"):
        if block.startswith("| "):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1


def test_names_of_strangers_stay_text():
    row = {
        "kind": "training",
        "experiment": "a|b\n# <script> `x`",
        "seed": 0,
        "metric": "test_accuracy",
        "value": 0.5,
        "n": 10,
    }
    text = markdown(Results("test", {}, [row | {"ci95": [0.2, 0.8], "epochs": 1, "seconds": 1.0}], []))
    assert "a\\|b \\# \\<script\\> \\`x\\`" in text
    assert "\n# \\<" not in text


def test_membership_has_its_measures_and_precisions():
    rows = membership_rows.attack_rows() + membership_rows.attack_rows("a|b")
    text = markdown(Results("membership", {}, rows))
    line = "| lira | 0.812 \\[0.790, 0.830\\] | 50.0 \\[45.0, 55.0\\] | 20.5 \\[18.0, 23.0\\] | 0.67 \\[0.10, 1.4\\] |"
    assert line in text
    assert "| lira | 95.3 \\[94.7, 95.8\\] | 17.2 \\[15.4, 18.9\\] |" in text
    assert "| a\\|b | 0.812" in text
