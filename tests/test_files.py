"""Files are whole or absent."""

import json
import os

import pytest

from tfinv import files
from tfinv.errors import UserError


def write_half(path, error):
    with files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


def test_the_block_writes_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "folder" / "model.keras"
    with files.atomic_path(path) as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent.parent == path.parent  # the same file system, so that the move is atomic
        temporary.write_text("whole")
        assert not path.exists()
        inode = temporary.stat().st_ino
    assert path.read_text() == "whole"
    assert path.stat().st_ino == inode  # moved, not copied
    assert os.listdir(path.parent) == ["model.keras"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UserError])
def test_an_error_inside_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error, match="boom"):
        write_half(path, error("boom"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_error_inside_leaves_no_file_where_there_was_none(tmp_path):
    with pytest.raises(ZeroDivisionError), files.atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text(str(1 / 0))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UserError, match=r"No space left on device.*--workdir"):
        write_half(path, OSError(28, "No space left on device"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, whom no mode stops.
    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(UserError, match=r"Permission denied.*--workdir"), files.atomic_path(tmp_path / "a.txt"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="--workdir"):
            files.write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="folder that can be written to"):
        files.write_text(tmp_path / "file" / "a.txt", "x")


def test_json_goes_there_and_back(tmp_path):
    value = {"a": [1, 2.5, None, True], "ü": "é"}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_lacks_is_refused_and_the_old_file_stays(tmp_path, number):
    files.write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"x": number})
    assert json.loads((tmp_path / "a.json").read_text()) == 1


def test_read_json_says_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="existing file"):
        files.read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a": [1,')
    with pytest.raises(UserError, match=r"a JSON file.*half\.json"):
        files.read_json(tmp_path / "half.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="a JSON file"):
        files.read_json(tmp_path / "bytes.json")
    with pytest.raises(UserError, match="can be read"):
        files.read_json(tmp_path)
