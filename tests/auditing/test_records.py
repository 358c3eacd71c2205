"""The table of images as files."""

import csv
import importlib.util

import numpy as np
import pytest

from tfinv.auditing import records
from tfinv.auditing.records import CSV, PARQUET, write_records
from tfinv.errors import UserError

COLUMNS = {
    "index": np.array([0, 1, 2]),
    "confidence": np.array([0.9, np.nan, 1.0], np.float32),
    "smallest_eps": np.array([np.inf, 1 / 3, np.nan]),
    "fooled": np.array([False, True, True]),
    "fooled_by": np.array(["", "pgd(steps=40,eps=8/255)", 'a "b"\nc']),
}


@pytest.fixture
def no_parquet(monkeypatch):
    monkeypatch.setattr(records.importlib.util, "find_spec", lambda name: None)


def test_the_csv_to_the_byte(tmp_path, no_parquet):
    assert write_records(tmp_path / "new", COLUMNS) == [tmp_path / "new" / CSV]
    assert (tmp_path / "new" / CSV).read_bytes() == (
        b"index,confidence,smallest_eps,fooled,fooled_by\r\n"
        b"0,0.9,inf,False,\r\n"
        b'1,,0.3333333333333333,True,"pgd(steps=40,eps=8/255)"\r\n'
        b'2,1.0,,True,"a ""b""\nc"\r\n'
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_text_is_a_formula(text, tmp_path, no_parquet):
    [path] = write_records(tmp_path, {"text": np.array([text]), "number": np.array([-1])})
    with open(path, encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["text", "number"], [f"'{text}", "-1"]]


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="without pyarrow there is no Parquet")
def test_parquet_has_the_values(tmp_path):
    from pyarrow import parquet

    assert write_records(tmp_path, COLUMNS | {"text": np.array(["=1", "a", "b"])}) == [
        tmp_path / CSV,
        tmp_path / PARQUET,
    ]
    table = parquet.read_table(tmp_path / PARQUET)
    assert table.column_names == [*COLUMNS, "text"]
    assert table["confidence"].to_pylist() == [pytest.approx(0.9), None, 1.0]
    assert table["smallest_eps"].to_pylist() == [float("inf"), 1 / 3, None]
    assert table["fooled_by"].to_pylist() == COLUMNS["fooled_by"].tolist()
    assert table["text"].to_pylist() == ["=1", "a", "b"]
    assert table["fooled"].to_pylist() == [False, True, True]


def test_no_parquet_of_another_table_stays(tmp_path, no_parquet):
    (tmp_path / PARQUET).write_bytes(b"old")
    write_records(tmp_path, COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == [CSV]


@pytest.mark.parametrize(
    "columns", [{}, {"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros((2, 2))}], ids=["none", "lengths", "table"]
)
def test_what_is_no_table_is_refused(columns, tmp_path):
    with pytest.raises(UserError, match=r"Expected columns \(n,\) of one length"):
        write_records(tmp_path, columns)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, no_parquet, monkeypatch):
    write_records(tmp_path, COLUMNS)
    before = (tmp_path / CSV).read_bytes()

    def fail(array):
        raise RuntimeError("killed")

    monkeypatch.setattr(records, "_cells", fail)
    with pytest.raises(RuntimeError, match="killed"):
        write_records(tmp_path, {"a": np.zeros(2)})
    assert (tmp_path / CSV).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [CSV]
