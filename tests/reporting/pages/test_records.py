"""Pages of single images."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.reporting.pages.records import read_table, write_records_pages

EVIL = "<script>alert('x')</script>"
HEADER = "split,index,label,prediction,confidence,smallest_eps,fooled_by,member,membership"
LINES = (
    "test,0,1,1,0.9,0.03,pgd(steps=40),,",
    "test,1,0,1,0.99,0.0,,,",
    "test,2,1,1,0.8,0.01,fgsm,False,0.1",
    "train,0,0,0,0.7,,,True,2.5",
    "train,1,1,1,0.7,,,True,0.05",
)


def _write(folder, lines=LINES):
    (folder / "records.csv").write_text("\r\n".join((HEADER, *lines, "")), encoding="utf-8")


def _images(split, indices):
    return np.full((len(indices), 8, 8, 1), 0.5, np.float32)


def _order(page, names):
    places = [page.index(f"<h3>{name}</h3>") for name in names]
    return places == sorted(places)


def test_each_list_is_in_its_order(tmp_path):
    _write(tmp_path)
    pages = write_records_pages(tmp_path, images=_images, classes=("cat", "dog"))
    names = ["records.html", "records-fragile.html", "records-exposed.html", "records-wrong.html"]
    assert [p.name for p in pages] == names
    fragile, exposed, wrong = (p.read_text(encoding="utf-8") for p in pages[1:])
    assert _order(fragile, ["test 2", "test 0"])
    assert "<h3>test 1</h3>" not in fragile  # wrong by itself
    assert _order(exposed, ["train 0", "train 1"])
    assert "score above" not in exposed  # one non-member says nothing of 1 % of them
    assert "<h3>test 1</h3>" in wrong
    assert "dog, 99.0 %" in wrong
    assert 'alt="Image test 2, class dog"' in fragile
    assert "0.01, fgsm" in fragile


def test_enough_nonmembers_say_how_many_members_are_told(tmp_path):
    others = [f"test,{i},0,0,0.9,,,False,{i / 500}" for i in range(500)]
    members = [f"train,{i},0,0,0.9,,,True,{score}" for i, score in enumerate((0.5, 0.98, 0.99, 2))]
    _write(tmp_path, [*others, *members])
    page = next(p for p in write_records_pages(tmp_path) if p.name == "records-exposed.html")
    # The threshold is the 496th of 500 scores, .99.
    assert "1 of 4 members score above all but 1 % of 500 non-members" in page.read_text(encoding="utf-8")


def test_a_page_has_a_limit_and_leads_to_the_next(tmp_path):
    _write(tmp_path, [f"test,{i},0,0,0.9,{(i + 1) / 1000},pgd,," for i in range(300)])
    pages = write_records_pages(tmp_path)
    assert [p.name for p in pages] == [
        "records.html",
        *(f"records-fragile{s}.html" for s in ("", "-2", "-3", "-4", "-5")),
    ]
    counts = [p.read_text(encoding="utf-8").count("<h3>") for p in pages]
    assert counts == [12, 48, 48, 48, 48, 48]
    second = pages[2].read_text(encoding="utf-8")
    assert '<b aria-current="page">2</b>' in second
    assert 'href="records-fragile-3.html"' in second
    assert "<img" not in second


def test_texts_of_the_table_are_shown_and_never_run(tmp_path):
    _write(tmp_path, [f"{EVIL},0,{EVIL},1,0.9,0.1,{EVIL},,"])
    for page in write_records_pages(tmp_path, classes=(EVIL, EVIL)):
        assert "<script" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", "index\nx\n"])
def test_what_is_no_table_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "records.csv").write_text(content)
    with pytest.raises(UserError, match="Expected a table of single images"):
        read_table(tmp_path / "records.csv")


def test_an_empty_table_has_a_page_that_says_so(tmp_path):
    _write(tmp_path, ())
    (page,) = write_records_pages(tmp_path)
    assert "No image fell, was scored or was wrong." in page.read_text(encoding="utf-8")
