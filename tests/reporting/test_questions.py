"""docs/questions.md names places of the page that exist."""

import pathlib
import re

from tfinv.reporting.html import render

ROOT = pathlib.Path(__file__).parents[2]


def test_each_of_ten_questions_has_its_place_on_the_page(audited_results, workdir):
    text = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and "?" in line.split("|")[1]]
    assert len(lines) == 10
    ids = re.findall(r'id="([^"]+)"', render(audited_results, workdir))
    for line in lines:
        (place,) = re.findall(r"`#([\w-]+)`", line.split("|")[2])
        assert place in ids, line
        assert set(re.findall(r"`#([\w-]+)`", line)) <= set(ids)
