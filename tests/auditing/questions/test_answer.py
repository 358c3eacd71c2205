"""Answers are asked once, and come back as they were."""

import numpy as np

from tfinv.auditing.questions.answer import Answer
from tfinv.evaluation.check import Check
from tfinv.reporting.results import Figure
from tfinv.runs.workdir import Workdir

ANSWER = Answer(
    [{"kind": "accuracy", "value": 0.5}],
    [Check("rule", None, "evidence", "advice")],
    [Figure("name", "title", "caption", "figures/name.png")],
    {"split": np.array(["test"]), "index": np.array([3]), "score": np.array([np.nan])},
    seconds=2.0,
)


def test_an_answer_comes_back_from_the_workdir(tmp_path):
    asked = []

    def ask():
        asked.append(1)
        return ANSWER

    workdir = Workdir(tmp_path, {})
    answers = [Answer.stored("question", workdir, ask) for _ in range(2)]
    assert len(asked) == 1
    for answer in answers:
        assert (answer.rows, answer.checks, answer.figures) == (ANSWER.rows, ANSWER.checks, ANSWER.figures)
        assert (answer.reason, answer.seconds) == (None, 2.0)
        assert list(answer.columns) == ["split", "index", "score"]
        np.testing.assert_array_equal(answer.columns["score"], [np.nan])


def test_a_reason_comes_back_too(tmp_path):
    workdir = Workdir(tmp_path, {})
    first = Answer.stored("question", workdir, lambda: Answer.not_asked("no scores"))
    assert first == Answer.stored("question", workdir, lambda: None)
    assert first.reason == "no scores"
