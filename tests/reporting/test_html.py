import base64
import dataclasses
import html.parser
import re

import pytest

import audited
import membership_rows
from tfinv.errors import UserError
from tfinv.reporting import Check, Figure, Results, write_html

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
VOID = {"meta", "link", "img", "br", "hr", "wbr"}


class Page(html.parser.HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for t, attrs in self.tags if t == tag]


def _page(results, workdir):
    return Page(write_html(results, workdir).read_text(encoding="utf-8"))


def _figures(page):
    """Pictures in full, which say in words what they show."""
    return [a for a in page.all("img") if a["alt"]]


def _thumbnails(page):
    """Small versions of them, named by their links."""
    return [a for a in page.all("img") if not a["alt"]]


def test_the_report_says_it_all(results, workdir):
    path = write_html(results, workdir)
    assert path == workdir / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for section in ("verdict", "checks", "accuracy", "inversion", "pictures", "training", "setup"):
        assert section in ids
        assert {"href": f"#{section}"} in page.all("a")
    for text in (
        "2 of 5 checks failed",
        "52.8",
        "[51.6, 54.0]",
        "robust mlp",
        "mnist",
        "tensorflow",
        "12 min 34 s",
    ):
        assert text in page.text.replace("\u00a0", " ")
    assert "docs: reading a report, heading iterative-beats-single-step" in page.text
    assert len(page.all("caption")) == len(page.all("table")) == 8
    assert all(a.get("scope") in ("col", "row", "rowgroup") for a in page.all("th"))
    assert len(_figures(page)) == 3
    assert len(_thumbnails(page)) == 3


def test_a_failed_check_names_the_heading_of_its_section(workdir):
    check = Check("gives-away-less (reversal)", False, "e", "a")
    assert "heading gives-away-less\n" in _page(Results("test", {}, [], [check]), workdir).text


def test_failed_checks_come_with_their_advice_and_all_others_are_one_line(results, workdir):
    page = _page(results, workdir)
    assert not any("open" in a for a in page.all("details"))
    assert page.text.count("What to do:") == 2
    order = [
        "iterative-beats-single-step",
        "2 checks passed, 1 not judged",
        "black-box-is-weaker",
        "success-rises-with-eps",
    ]
    places = [page.text.index(text, page.text.index("failed iterative")) for text in order]
    assert places == sorted(places)


def test_each_row_of_a_table_fills_its_columns(results, workdir):
    text = write_html(results, workdir).read_text(encoding="utf-8")
    for table in re.findall(r"<table.*?</table>", text, re.S):
        head, *body = re.findall(r"<tr.*?</tr>", table, re.S)
        width, spanned = head.count("<th "), 0
        for row in body:
            span = re.search(r'rowspan="(\d+)"', row)
            cells = row.count("<th ") + row.count("<td")
            assert cells == width - (spanned > 0)
            spanned = int(span[1]) - 1 if span else max(0, spanned - 1)
        assert spanned == 0


def test_the_page_stands_alone(results, workdir):
    page = _page(results, workdir)
    for tag, attrs in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form", "svg")
        assert not [a for a in attrs if a.startswith("on")]
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            if attrs.get(name):
                assert attrs[name].startswith(("data:", "#")), (tag, attrs[name][:80])
        if tag == "img":
            assert base64.b64decode(attrs["src"].split(",", 1)[1]).startswith(b"\x89PNG")
    text = (workdir / "report.html").read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_texts_of_the_results_are_shown_and_never_run(results, workdir, accuracy_row):
    figure = dataclasses.replace(results.figures[0], name=EVIL, title=EVIL, caption=EVIL)
    evil = Results(
        command=EVIL,
        config={EVIL: {"a": EVIL, "b": [EVIL]}},
        rows=[
            accuracy_row(EVIL, "none", 0.0, 0.5),
            accuracy_row(EVIL, EVIL, 0.1, 0.5, spec=EVIL, norm=EVIL),
            {
                "kind": "inversion",
                "experiment": EVIL,
                "method": EVIL,
                "budget": EVIL,
                "measure": EVIL,
                "value": 1.0,
            }
            | {"evaluator": EVIL, "better": EVIL},
            {"kind": "training", "experiment": EVIL, "metric": EVIL, "value": 1.0},
        ],
        checks=[Check(EVIL, False, EVIL, EVIL)],
        figures=[figure],
        environment={"date": EVIL},
    )
    page = _page(evil, workdir)
    assert page.all("script") == []
    assert len(_figures(page)) == 2
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert page.text.count("alert('x')") >= 15
    assert _figures(page)[1]["alt"] == f"{EVIL}. {EVIL}"


def test_half_a_surrogate_pair_does_not_stop_the_report(workdir):
    write_html(Results("\ud800", {"a": "\udfff"}), workdir)


def test_empty_results_make_a_report(workdir):
    page = _page(Results("audit", {}), workdir)
    assert "No check was made" in page.text
    assert page.all("img") == []


def test_clean_accuracy_alone_makes_a_report(workdir, accuracy_row):
    page = _page(Results("audit", {}, [accuracy_row("m", "none", 0.0, 0.5)]), workdir)
    assert "50.0" in page.text


def test_curves_of_the_results_replace_the_drawn_ones(results, workdir):
    results.figures[0] = dataclasses.replace(results.figures[0], name="accuracy_curves")
    page = _page(results, workdir)
    assert len(_figures(page)) == 2


@pytest.mark.parametrize(
    "path", ["../secret.png", "figures/../../secret.png", "link.png", "folder/secret.png", "\0", 7]
)
def test_a_path_out_of_the_work_folder_is_refused(results, workdir, path):
    secret = workdir.parent / "secret.png"
    secret.write_bytes((workdir / "figures/grid.png").read_bytes())
    (workdir / "link.png").symlink_to(secret)
    (workdir / "folder").symlink_to(workdir.parent)
    with pytest.raises(UserError, match="Expected figure paths inside the work folder"):
        write_html(dataclasses.replace(results, figures=[Figure("f", "t", "c", path)]), workdir)
    assert not (workdir / "report.html").exists()


def test_an_absolute_path_is_refused_even_inside(results, workdir):
    figure = Figure("f", "t", "c", str(workdir / "figures/grid.png"))
    with pytest.raises(UserError, match="inside the work folder"):
        write_html(dataclasses.replace(results, figures=[figure]), workdir)


@pytest.mark.parametrize("data", [b"", b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_figure_that_is_no_picture_is_refused(results, workdir, data):
    (workdir / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=r"Expected a (figure in PNG|whole picture)"):
        write_html(dataclasses.replace(results, figures=[Figure("f", "t", "c", "a.png")]), workdir)


def test_a_missing_figure_is_named(results, workdir):
    with pytest.raises(UserError, match=r"gone\.png"):
        write_html(dataclasses.replace(results, figures=[Figure("f", "t", "c", "gone.png")]), workdir)


def test_the_report_is_the_same_from_the_file(results, workdir):
    first = write_html(results, workdir).read_text(encoding="utf-8")
    results.write(workdir)
    again = write_html(Results.read(workdir), workdir, workdir / "again.html").read_text(encoding="utf-8")
    assert again == first


def test_the_inversion_page_says_it_in_the_order_a_reader_asks(inverted_results, workdir):
    page = _page(inverted_results, workdir)
    assert page.open == []
    order = ["verdict", "checks", "attacker", "pictures", "inversion", "course", "training", "setup"]
    ids = [a["id"] for _, a in page.tags if a.get("id") in order]
    assert ids == order
    pictures = ["figure-nearest", "figure-classes", "figure-course"]  # two of the results, and the course
    assert [a["href"][1:] for a in page.all("a")] == ["verdict", *order, *pictures]
    assert sorted(a["id"] for a in page.all("figure")) == sorted(pictures)
    assert [a for a in page.all("tr") if a.get("class") == "reference"] == [{"class": "reference"}] * 5
    assert "brep" in page.text
    assert "labels; auxiliary data: 1,000 held-out images" in page.text


def test_a_course_of_the_results_replaces_the_drawn_one(inverted_results, workdir):
    inverted_results.figures[0] = dataclasses.replace(inverted_results.figures[0], name="course")
    assert len(_figures(_page(inverted_results, workdir))) == 2


def test_texts_of_inversions_are_shown_and_never_run(workdir):
    row = {"experiment": EVIL, "method": EVIL, "budget": EVIL, "seed": 0}
    measured = row | {"kind": "inversion", "measure": "acc@1", "value": 0.5, "evaluator": EVIL, "knowledge": EVIL}
    rows = [
        measured,
        measured | {"experiment": "other"},
        measured | {"method": "reference", "of": EVIL},
        row | {"kind": "course", "step": 1, "cost": 1.0, "confidence": 0.5},
    ]
    page = _page(Results("c", {}, rows), workdir)
    assert page.all("script") == []
    assert len(_figures(page)) == 1
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]


def test_a_long_name_breaks_where_its_parts_meet(workdir):
    row = {
        "kind": "training",
        "experiment": "fast(eps=8/255,ramp=.2)",
        "metric": "test_accuracy",
        "value": 0.9,
        "seed": 0,
    }
    page = write_html(Results("train", {}, [row]), workdir).read_text(encoding="utf-8")
    assert ">test_<wbr>accuracy</th>" in page
    assert ">fast(<wbr>eps=8/255,<wbr>ramp=.2)</th>" in page


@pytest.fixture
def membership_results(workdir):
    membership_rows.single_scores(classes=(EVIL, "b")).write(workdir, membership_rows.images())
    return Results("membership", {}, [*membership_rows.attack_rows(), *membership_rows.group_rows()])


def test_membership_has_a_section_with_its_tables_and_pictures(membership_results, workdir):
    page = _page(membership_results, workdir)
    assert page.open == []
    assert {"href": "#membership"} in page.all("a")
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert ids.index("checks") < ids.index("membership") < ids.index("setup")
    tables = ["table-membership", "table-at-risk", *(f"table-membership-{i}" for i in (1, 2, 3))]
    assert [i for i in ids if i.startswith(("table-membership", "table-at-risk"))] == tables
    assert [a["alt"].partition(".")[0] for a in _figures(page)] == [
        "ROC curves",
        "Scores of members and non-members",
        "Records most at risk, beside their nearest others",
    ]
    assert [a for a in page.all("tr") if a.get("class") == "reference"] == [{"class": "reference"}] * 2
    assert "20.5 [18.0, 23.0]" in page.text
    assert page.all("script") == []
    assert page.text.count("alert('x')") == 2  # the class of two records


def test_without_scores_membership_has_no_pictures(workdir):
    page = _page(Results("membership", {}, membership_rows.attack_rows()), workdir)
    assert page.all("img") == []
    assert "Whether an attacker can tell" in page.text


def test_pictures_of_the_results_replace_those_of_the_scores(membership_results, results, workdir):
    membership_results.figures = [dataclasses.replace(results.figures[0], name="membership_roc", title="Other curves")]
    page = _page(membership_results, workdir)
    assert [a["alt"].partition(".")[0] for a in _figures(page)][:2] == [
        "Other curves",
        "Scores of members and non-members",
    ]
    assert "#pictures" not in [a["href"] for a in page.all("a")]


def test_texts_of_membership_are_shown_and_never_run(workdir):
    rows = membership_rows.attack_rows(EVIL, experiment=EVIL, interval=EVIL) + membership_rows.attack_rows()
    membership_rows.single_scores(attacks=(EVIL, "b"), experiments=(EVIL, "model")).write(
        workdir, membership_rows.images()
    )
    page = _page(Results("membership", {}, rows), workdir)
    assert page.all("script") == []
    assert len(_figures(page)) == 3
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert page.text.count("alert('x')") >= 5


def test_an_audit_begins_with_one_line_a_question(audited_results, workdir):
    page = _page(audited_results, workdir)
    assert page.open == []
    text = " ".join(page.text.replace("\u00a0", " ").split())
    start = text.index("6 questions: 1 poor, 2 fair, 1 good, 1 not to be believed, 1 not asked.")
    for part in (
        "good Accuracy Is it right on clean images? 94.1 % [92.1, 96.1] n = 1,000 accuracy on clean images",
        "good from 90.0 %, fair from 70.0 %",
        "fair Calibration",
        "expected calibration error; its interval reaches from good to fair",
        "not to be believed Robustness Does it withstand attacks? not to be believed, because losses-agree failed",
        "poor Inversion",
        "(worst of 2 rules)",
        "fails the audit: recognised",
        "MITRE ATLAS AML.T0024.001",
        "not asked: pass --members",
    ):
        assert start < text.index(part) < text.index("Checks that did not fail"), part
    assert [a["href"] for a in page.all("a")].count("#figure-fragile") == 1
    assert len(_thumbnails(page)) == 4
    ids = [a["id"] for _, a in page.tags if "id" in a]
    sections = [
        "verdict",
        "rules",
        "checks",
        "accuracy",
        "calibration",
        "corruptions",
        "inversion",
        "membership",
        "at-risk",
        "compare",
    ]
    assert [i for i in ids if i in sections] == sections
    assert len(ids) == len(set(ids))


def test_texts_of_grades_are_shown_and_never_run(workdir):
    rows = [
        audited.grade(EVIL, EVIL, 0.5, "fair", text=EVIL, tags=[EVIL], gate=True, reason=EVIL),
        audited.grade("accuracy", EVIL, None, None, state="disbelieved", reason=EVIL),
        {"kind": "corruption", "experiment": EVIL, "corruption": EVIL, "severity": 1, "accuracy": 0.5},
        {"kind": "calibration", "experiment": EVIL, "measure": EVIL, "value": 0.5},
        {"kind": "note", "question": "accuracy", "text": EVIL},
    ]
    page = _page(Results("audit", {"model": EVIL, "left_out": [EVIL]}, rows), workdir)
    assert page.open == []
    assert page.all("script") == []
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert page.text.count("alert('x')") >= 12


def test_long_evidence_is_a_list(workdir):
    check = Check("losses-agree", False, "2 of 3 failed; a: x stood; y now | b: z stood", "a")
    page = _page(Results("test", {}, [], [check]), workdir)
    assert len(page.all("dt")) == 2
    assert "2 of 3 failed:" in page.text


def test_an_alt_text_says_what_a_curve_shows(results, workdir):
    (curves,) = [a for a in _figures(_page(results, workdir)) if a["alt"].startswith("Accuracy against eps")]
    assert "baseline: 98.9 % on clean images; baseline: 5.8 % under fgsm at eps 0.25" in curves["alt"]
    assert curves["alt"].endswith("more lines, see the table.")
    assert "artefact" not in curves["alt"]


def test_single_images_are_linked_where_their_page_is(audited_results, workdir):
    assert "records.html" not in [a["href"] for a in _page(audited_results, workdir).all("a")]
    (workdir / "records.html").write_text("")
    assert "records.html" in [a["href"] for a in _page(audited_results, workdir).all("a")]
