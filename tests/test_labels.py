"""Names of classes in the files in which they come."""

import json

import pytest

from tfinv.errors import UserError
from tfinv.labels import read_class_names


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("cat\ndog\neel\n", ("cat", "dog", "eel")),
        ("0 cat\n1 sea lion\n2 eel\n", ("cat", "sea lion", "eel")),  # Teachable Machine's
        ("\ufeff0 cat\r\n1 dog\r\n\r\n", ("cat", "dog")),
        ("0: cat\n1: dog\n", ("cat", "dog")),
        ("1 cat\n2 dog\n", ("1 cat", "2 dog")),  # not numbers from 0: they may belong to the names
        ("101 dalmatians\n7 dwarfs\n", ("101 dalmatians", "7 dwarfs")),
        ("0\n1\n10\n", ("0", "1", "10")),
        ('["cat", "dog"]', ("cat", "dog")),
        ('{"0": "cat", "1": "dog"}', ("cat", "dog")),
        ('{"1": "dog", "0": "cat"}', ("cat", "dog")),
        ('{"dog": 1, "cat": 0}', ("cat", "dog")),  # class_indices of Keras's flow_from_directory
        ('{"1": 1, "0": 0}', ("0", "1")),
    ],
)
def test_files(content, names, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode())
    assert read_class_names(str(path)) == names


def test_lists_and_paths(tmp_path, monkeypatch):
    assert read_class_names("cat, sea lion,eel") == ("cat", "sea lion", "eel")
    many = [f"class {i}" for i in range(1000)]
    assert read_class_names(",".join(many)) == tuple(many)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "names.json").write_text(json.dumps(["a", "b"]))
    assert read_class_names("~/names.json") == ("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cat\n", "two class names or more"),
        ("cat\ncat\n", "each once"),
        ("", "two class names or more"),
        ('{"cat": 0, "dog": 2}', r"numbers 0 to 1\. Received: 0, 2 in"),
        ('{"cat": 0, "dog": 0}', "numbers 0 to 1"),
        ('{"cat": "x"}', "JSON list of class names"),
        ('[["cat"], ["dog"]]', "JSON list of class names"),
        ('["cat", ', "whole JSON file"),
        (b"\xff\xfe\x00c", "UTF-8"),
    ],
)
def test_refused(content, message, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as caught:
        read_class_names(str(path))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"or an existing file.*Received: .*labels\.txt.*--class_names"):
        read_class_names(str(tmp_path / "labels.txt"))
