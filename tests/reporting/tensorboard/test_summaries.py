import dataclasses
import html
import warnings

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator

from tfinv.errors import UserError
from tfinv.reporting import Check, Figure, Results, write_tensorboard
from tfinv.reporting.tensorboard.summaries import escape


def _read(folder):
    events = event_accumulator.EventAccumulator(str(folder), size_guidance={event_accumulator.TENSORS: 0})
    events.Reload()
    return events


def _values(folder, tag):
    return [(e.step, tf.make_ndarray(e.tensor_proto)) for e in _read(folder).Tensors(tag)]


def _render(text):
    """Returns the text as TensorBoard shows it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library within TensorBoard
        from tensorboard.plugin_util import markdown_to_safe_html
    return markdown_to_safe_html(text)


def _text(folder, tag):
    ((_, value),) = _values(folder, tag)
    return value.item().decode()


def test_scalars_are_accuracy_against_ten_thousandths_of_eps(results, workdir):
    logdir = write_tensorboard(results, workdir, workdir / "tb")
    assert sorted(p.name for p in logdir.iterdir()) == [
        "baseline",
        "positive",
        "report",
        "reversal",
        "shuffled",
    ]
    assert sorted(_read(logdir / "shuffled").Tags()["tensors"]) == [
        "accuracy/clean",
        "accuracy/fgsm",
        "accuracy/fgsm-artefact",
        "accuracy/pgd",
    ]
    points = _values(logdir / "shuffled", "accuracy/pgd")
    assert [step for step, _ in points] == [0, 500, 1000, 2500]
    np.testing.assert_allclose([value for _, value in points], [0.969, 0.868, 0.488, 0.298], rtol=1e-6)


def test_texts_and_images(results, workdir):
    report = write_tensorboard(results, workdir, workdir / "tb") / "report"
    assert "2 of 5 checks failed" in _render(_text(report, "1 verdict"))
    assert "<td>black-box-is-weaker</td>" in html.unescape(_render(_text(report, "2 checks")))
    page = _render(_text(report, "3 results"))
    assert page.count("<table>") == 4
    assert "<td>train.epochs</td>" in html.unescape(_render(_text(report, "4 config")))
    for tag in ("accuracy_curves", "reconstructions", "neighbours"):
        ((step, value),) = _values(report, tag)
        assert step == 0
        width, height, png = value
        assert tf.io.decode_png(png).shape == (int(height), int(width), 3)


def test_written_again_it_stands_once_and_spares_other_logs(results, workdir):
    logdir = workdir / "tb"
    with tf.summary.create_file_writer(str(logdir / "baseline")).as_default():
        tf.summary.scalar("loss", 1.0, step=0)
    for _ in range(2):
        write_tensorboard(results, workdir, logdir)
    assert len(list((logdir / "report").iterdir())) == 1
    assert len(list((logdir / "baseline").iterdir())) == 2
    assert len(_values(logdir / "baseline", "accuracy/pgd")) == 4
    assert len(_values(logdir / "baseline", "loss")) == 1


EVIL = "<script>x</script> ![p](http://127.0.0.1/p) **b** | c\n# d `e` [l](javascript:x) _f_ &amp; \\"


def test_markdown_shows_the_text_as_it_is():
    page = _render(escape(EVIL))
    for tag in ("<img", "<a", "<strong", "<h1", "<code", "<em", "<script"):
        assert tag not in page
    assert html.unescape(page) == "<p>" + EVIL.replace("\n", " ") + "</p>"


def test_names_stay_text_and_inside_the_log_folder(workdir, accuracy_row):
    names = ["../../out", "..", "/abs", "a/b", "a_b", EVIL]
    rows = [accuracy_row(n, "pgd", 0.1, 0.5) for n in names]
    results = Results(EVIL, {EVIL: EVIL}, rows, [Check(EVIL, False, EVIL, EVIL)])
    logdir = write_tensorboard(results, workdir, workdir / "deep" / "tb")
    assert len(list(logdir.iterdir())) == len(names) + 1
    assert {p.name for p in workdir.iterdir()} == {"deep"}
    for tag in ("2 checks", "3 results", "4 config"):
        page = _render(_text(logdir / "report", tag))
        assert "<img" not in page
        assert "<a" not in page
        assert page.count("<table>") == 1


def test_figures_of_one_name_are_steps(results, workdir):
    figure = results.figures[0]
    twice = dataclasses.replace(results, figures=[figure, figure])
    report = write_tensorboard(twice, workdir, workdir / "tb") / "report"
    assert [step for step, _ in _values(report, "reconstructions")] == [0, 1]


def test_a_figure_outside_is_refused_before_anything_is_written(results, workdir):
    outside = dataclasses.replace(results, figures=[Figure("f", "t", "c", "../x.png")])
    with pytest.raises(UserError, match="inside the work folder"):
        write_tensorboard(outside, workdir, workdir / "tb")
    assert not (workdir / "tb").exists()


def test_eps_that_are_near_each_other_have_steps_of_their_own(workdir, accuracy_row):
    eps = {8 / 255: 0.4, 0.031: 0.5, 0.03101: 0.45, 0.0: 0.9, 0.00001: 0.8}
    rows = [accuracy_row("m", "pgd", e, accuracy) for e, accuracy in eps.items()]
    logdir = write_tensorboard(Results("c", {}, rows), workdir, workdir / "tb")
    points = _values(logdir / "m", "accuracy/pgd")
    assert [step for step, _ in points] == [0, 1, 310, 311, 314]
    np.testing.assert_allclose([value for _, value in points], [0.9, 0.8, 0.5, 0.45, 0.4], rtol=1e-6)


def test_a_log_folder_that_cannot_be_is_an_expected_error(results, workdir):
    (workdir / "tb").write_text("a file")
    with pytest.raises(UserError, match="can be written to"):
        write_tensorboard(results, workdir, workdir / "tb")
