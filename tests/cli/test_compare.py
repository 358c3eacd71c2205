"""`tfinv compare`."""

import numpy as np

from audit_folders import write_audit
from audit_rows import EPS
from commands import one_line, run
from tfinv.reporting import Results

ALL, LOW = np.ones(20, bool), np.full(20, EPS / 2)


def test_two_audits_are_compared_printed_and_written(tmp_path, capsys):
    a, b = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, 4 * LOW)
    assert run("compare", a, b, "--workdir", tmp_path / "ab") == 0
    printed = capsys.readouterr().out
    assert "b is better than a by robust-accuracy" in printed
    assert Results.read(tmp_path / "ab").command == "compare"
    page = (tmp_path / "ab" / "report.html").read_text(encoding="utf-8")
    assert "Differences of two audits" in page


def test_without_a_workdir_it_is_printed_alone(tmp_path, capsys):
    a = write_audit(tmp_path / "a", ALL, LOW)
    assert run("compare", a, a) == 0
    assert "Not told apart" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def test_wrong_folders_are_refused_in_one_line(tmp_path, capsys):
    a = write_audit(tmp_path / "a", ALL, LOW)
    other = write_audit(tmp_path / "b", ALL, LOW, config={"eps": 0.3})
    assert run("compare", a) == 2
    assert "runs/a runs/b" in one_line(capsys.readouterr().err)
    assert run("compare", a, other) == 1
    assert "the same eps" in one_line(capsys.readouterr().err)
    assert run("compare", a, tmp_path / "c") == 1
    assert "existing file" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "c").exists()


def test_the_table_is_on_the_page_unfolded(tmp_path):
    a, b = write_audit(tmp_path / "a", ALL, LOW), write_audit(tmp_path / "b", ALL, 4 * LOW)
    assert run("compare", a, b, "--workdir", tmp_path / "ab") == 0
    page = (tmp_path / "ab" / "report.html").read_text(encoding="utf-8")
    assert "All rules of the policy" not in page
    before = page[: page.index("Differences of two audits")]
    assert before.count("<details") == before.count("</details>")
