"""Membership: shadow models where the budget has some, and a reason where there can be none."""

import dataclasses

import keras
import numpy as np
import pytest

import tiny_audit
from tfinv.auditing.questions import clones, membership
from tfinv.auditing.subjects.loading import subject_of_objects
from tfinv.classifier import Classifier
from tfinv.runs.workdir import Workdir

BUDGET = dataclasses.replace(tiny_audit.TINY, shadows=4)


def subject(model):
    return subject_of_objects(model, tiny_audit.digits("test"), training=tiny_audit.digits("train"))[0]


def test_shadows_are_whole_or_absent(tmp_path, monkeypatch):
    workdir = Workdir(tmp_path, {})
    answer = membership.ask(subject(tiny_audit.network()), BUDGET, workdir)
    rows = [row for row in answer.rows if row["kind"] == "membership"]
    assert {row["shadows"] for row in rows} == {4}
    assert {"lira", "rmia", "loss"} <= {row["attack"] for row in rows}
    assert "shadows-reach-the-target" in {check.name for check in answer.checks}
    np.testing.assert_array_equal(answer.columns["member"], [True] * 30 + [False] * 30)
    np.testing.assert_array_equal(answer.columns["index"], [*range(30), *range(30)])
    # Of a store that a kill has left without a shadow, that one is trained again, to the same logits.
    logits, trained = tmp_path / "shadows" / "logits" / "0002.npy", []
    before = logits.read_bytes()
    logits.unlink()
    train = clones.train
    monkeypatch.setattr(clones, "train", lambda *args: trained.append(args[4]) or train(*args))
    again = membership.ask(subject(tiny_audit.network()), BUDGET, workdir)
    assert trained == [2]
    assert logits.read_bytes() == before
    assert again.rows == answer.rows


@pytest.mark.parametrize("kind", ["function", "subclassed"])
def test_without_an_architecture_there_are_no_shadows_and_the_reason_is_said(tmp_path, kind):
    network = tiny_audit.network()
    shape = (tiny_audit.SIZE, tiny_audit.SIZE, 1)
    if kind == "function":
        model = Classifier.from_callable(network, input_shape=shape, num_classes=10, outputs="logits")
    else:

        class Wrapped(keras.Model):
            def call(self, images):
                return network(images)

        model = Wrapped()
        model(np.zeros((1, *shape), np.float32))
    answer = membership.ask(subject(model), BUDGET, Workdir(tmp_path, {}))
    rows = [row for row in answer.rows if row["kind"] == "membership"]
    assert {row["shadows"] for row in rows} == {0}
    (note,) = [row["text"] for row in answer.rows if row["kind"] == "note"]
    assert "without shadow models: Expected" in note
