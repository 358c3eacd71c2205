"""`tfinv.audit` on a tiny network, from end to end."""

import json

import numpy as np
import pytest

import tfinv
import tiny_audit
from tfinv.catalogue import QUESTIONS
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.reporting import Results


def silent(line):
    pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An audit of all questions, and the lines that it said."""
    from tfinv.auditing import budget

    folder, lines = tmp_path_factory.mktemp("audit"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(budget._BUDGETS, "quick", tiny_audit.TINY)
        report = tfinv.audit(
            tiny_audit.network(),
            tiny_audit.digits("test"),
            members=tiny_audit.digits("train"),
            workdir=folder,
            eps=0.1,
            progress=lines.append,
        )
    return report, lines


def test_every_question_is_asked_and_graded_or_disbelieved(whole):
    report, _ = whole
    questions = {row["question"]: row for row in report.results.rows_of("question")}
    assert list(questions) == list(QUESTIONS)
    assert {row["state"] for row in questions.values()} == {"asked"}
    assert {row["question"] for row in report.grades} == set(QUESTIONS)
    assert len(str(report).splitlines()) == len(QUESTIONS)


def test_no_rule_is_graded_whose_checks_failed(whole):
    report, _ = whole
    for row in report.grades:
        assert (row["grade"] is None) == (row["state"] != "graded")
        assert not (row["state"] == "graded" and row["checks"])


def test_the_clean_accuracy_is_that_of_the_first_images(whole):
    report, _ = whole
    data = tiny_audit.digits("test").take(40)
    right = tiny_audit.network().predict(data.images, verbose=0).argmax(1) == data.labels
    (row,) = [row for row in report.results.rows_of("accuracy") if row["attack"] == "none"]
    assert (row["accuracy"], row["n"]) == (np.mean(right), 40)


def test_robustness_has_a_curve_and_a_strongest_attack(whole):
    rows = whole[0].results.rows_of("accuracy")
    eps = {row["eps"] for row in rows if row["attack"] == "pgd(steps=4)"}
    assert eps == {0.025, 0.05, 0.1, 0.2}
    assert [row["eps"] for row in rows if row["attack"].startswith("apgdt")] == [0.1]


def test_the_files_are_there(whole):
    report, _ = whole
    assert Results.read(report.path).to_json() == report.results.to_json()
    assert report.page.read_text(encoding="utf-8").startswith("<!")
    for name in ("fragile", "reconstructions", "nearest"):
        assert (report.path / "figures" / f"{name}.png").exists()
    for path in report.files.values():
        assert path.exists()


def test_the_table_has_a_line_for_each_image(whole):
    report, _ = whole
    (path,) = [path for path in report.files.values() if path.suffix == ".csv"]
    lines = path.read_text(encoding="utf-8").splitlines()
    # 40 held-out images, of which 30 are non-members, and 30 members.
    assert len(lines) == 1 + 40 + 30
    assert lines[0].startswith("split,index,label,prediction,confidence")


def test_a_notebook_shows_the_page_in_a_frame_without_scripts(whole):
    report, _ = whole
    text = report._repr_html_()
    assert text.startswith("<iframe")
    assert 'sandbox=""' in text
    assert "<script" not in text


def test_the_estimate_and_the_assumption_are_said(whole):
    _, lines = whole
    assert any(line.startswith("estimated ") for line in lines)
    assert any("the caller says that the model was trained" in line for line in lines)


def test_an_audit_goes_on_without_asking_again(whole, tiny, monkeypatch):
    report, _ = whole
    monkeypatch.setattr("tfinv.auditing.running._ask", lambda name, *_: pytest.fail(f"{name} was asked again"))
    again = tfinv.audit(
        tiny_audit.network(),
        tiny_audit.digits("test"),
        members=tiny_audit.digits("train"),
        workdir=report.path,
        eps=0.1,
        progress=silent,
    )
    assert again.results.rows == report.results.rows


def test_another_version_of_the_model_is_refused(whole, tiny):
    report, _ = whole
    other = tiny_audit.network().__class__.from_config(tiny_audit.network().get_config())
    with pytest.raises(UserError, match="a --workdir of this configuration"):
        tfinv.audit(
            other,
            tiny_audit.digits("test"),
            members=tiny_audit.digits("train"),
            workdir=report.path,
            eps=0.1,
            progress=silent,
        )


def test_a_model_that_gives_labels_alone_is_asked_what_it_can_answer(tmp_path, tiny):
    data = tiny_audit.digits("test").take(20)
    means = np.stack(
        [tiny_audit.digits("train").images[tiny_audit.digits("train").labels == k].mean(0) for k in range(10)]
    )

    def nearest_mean(images):
        return np.square(images[:, None] - means).sum((2, 3, 4)).argmin(1)

    shape = (tiny_audit.SIZE, tiny_audit.SIZE, 1)
    classifier = Classifier.from_predict(nearest_mean, input_shape=shape, num_classes=10, outputs="labels")
    report = tfinv.audit(classifier, data, workdir=tmp_path, eps=0.1, progress=silent)
    reasons = {row["question"]: row["reason"] for row in report.results.rows_of("question")}
    assert "labels alone" in reasons["calibration"]
    assert "nobody said" in reasons["membership"]
    assert reasons["robustness"] is None
    attacks = {row["attack"] for row in report.results.rows_of("accuracy")}
    assert attacks == {"none", "noise", "hopskipjump(norm=linf,queries=120)"}
    states = {row["question"]: row["state"] for row in report.grades}
    assert states["calibration"] == states["membership"] == "not asked"


def test_questions_may_be_chosen(tmp_path, tiny):
    images = (tiny_audit.digits("test").images, tiny_audit.digits("test").labels)
    report = tfinv.audit(tiny_audit.network(), images, questions=("accuracy",), workdir=tmp_path, progress=silent)
    asked = [row["question"] for row in report.results.rows_of("question") if row["state"] == "asked"]
    assert asked == ["accuracy"]


def test_hours_of_work_are_refused_before_a_question_is_asked(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("tfinv.auditing.estimate.LONG", 0.0)
    with pytest.raises(UserError, match="yes=True"):
        tfinv.audit(tiny_audit.network(), tiny_audit.digits("test"), workdir=tmp_path, progress=silent)
    assert not list(tmp_path.glob("stages/question-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "huge"}, "Expected a budget"),
        ({"questions": ("beauty",)}, "Expected questions among"),
        ({"eps": 2.0}, "Expected an eps above 0"),
        ({"fail_on": ("robust-acuracy",)}, "robust-acuracy"),
        ({"preprocessing": "caffe"}, "Expected options of load_classifier with a path"),
    ],
)
def test_arguments_are_checked(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        tfinv.audit(tiny_audit.network(), tiny_audit.digits("test"), workdir=tmp_path, progress=silent, **arguments)


def test_it_prints_a_line_a_question(whole):
    report = whole[0]
    assert [line.partition(":")[0].lower() for line in str(report).splitlines()] == list(QUESTIONS)


def test_results_are_plain_json(whole):
    json.dumps(whole[0].results.to_json(), allow_nan=False)
