"""Tables of calibration and corruptions."""

from tfinv.reporting.tables.reliability import calibration_table, corruption_table, reliability_table


def _corruption(name, severity, accuracy):
    keys = {"kind": "corruption", "experiment": "m", "corruption": name, "severity": severity, "n": 50, "seed": 0}
    return keys | {"accuracy": accuracy, "ci95": [accuracy - 0.1, accuracy + 0.1]}


def test_the_worst_corruption_comes_first():
    rows = [
        _corruption("fog", 1, 0.9),
        _corruption("fog", 2, 0.8),
        _corruption("noise", 1, 0.6),
        _corruption("noise", 2, 0.2),
    ]
    clean = [{"experiment": "m", "attack": "none", "eps": 0.0, "accuracy": 0.95, "n": 100}]
    table = corruption_table(rows, clean)
    assert table.headings == ("severity 1", "severity 2", "mean")
    assert [names[1] for names, _ in table.lines] == ["noise", "fog"]
    assert [c.text for c in table.lines[0][1]] == ["60.0", "20.0", "40.0"]
    assert table.lines[0][1][0].notes == ("[50.0, 70.0]",)
    assert "clean: 95.0 % of m (n = 100)." in table.notes
    assert corruption_table([]) is None


def test_calibration_in_points_or_as_numbers():
    row = {"kind": "calibration", "experiment": "m", "seed": 0, "n": 10}
    rows = [row | {"measure": "ece", "value": 0.05, "ci95": [0.04, 0.06]}, row | {"measure": "nll", "value": 1.234}]
    table = calibration_table(rows)
    assert [c.text for c in table.lines[0][1]] == ["5.0", "1.23"]
    assert table.lines[0][1][0].notes == ("[4.0, 6.0]",)
    # A short bar would look like little accuracy.
    assert [c.share for c in table.lines[0][1]] == [None, None]


def test_empty_bins_have_no_line():
    row = {"kind": "reliability", "experiment": "m", "low": 0.8, "high": 0.9, "confidence": 0.85, "accuracy": 0.7}
    table = reliability_table([row | {"n": 20, "ci95": [0.5, 0.85]}, row | {"n": 0, "accuracy": None, "ci95": None}])
    assert [names for names, _ in table.lines] == [("m", "80.0 to 90.0")]
    assert [c.text for c in table.lines[0][1]] == ["85.0", "70.0", "20"]
