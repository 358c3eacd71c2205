"""Evidence: what it converts, what it takes with it, and what it refuses."""

import types

import numpy as np
import pytest

from planted_members import planted, target
from tfinv.errors import UserError
from tfinv.membership import Evidence

LABELS = np.array([0, 1, 1])
LOGITS = np.float32([[2, 0], [1, 0], [0, 3]])


def test_one_query_may_have_no_axis():
    evidence = Evidence([0, 1, 1], LOGITS)
    assert evidence.logits.shape == (3, 1, 2)
    assert evidence.labels.dtype == np.int64
    np.testing.assert_array_equal(evidence.predictions, [0, 0, 1])
    np.testing.assert_array_equal(evidence.rows, [0, 1, 2])
    assert len(evidence) == 3


def test_predictions_are_those_of_the_image_itself():
    assert Evidence([0], np.float32([[[1, 0], [0, 1], [0, 1]]])).predictions == [0]


def test_evidence_of_a_classifier():
    whole, _ = planted()
    np.testing.assert_array_equal(whole.logits[:, 0], target().predict(whole.images))
    assert whole.classifier is target()


def test_take_keeps_examples_together():
    whole, _ = planted()
    part = whole.take([7, 2])
    for name in ("labels", "logits", "predictions", "images", "trajectory"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[[7, 2]])
    np.testing.assert_array_equal(part.rows, [7, 2])
    np.testing.assert_array_equal(part.take([1]).rows, [2])
    np.testing.assert_array_equal(whole.take(whole.labels == 1).labels, np.ones(40))
    assert part.population is whole.population


@pytest.mark.parametrize(
    ("labels", "fields", "complaint"),
    [
        ([], {}, "at least one example"),
        ([0.0, 1.0, 1.0], {}, "labels as integers"),
        ([[0], [1], [1]], {}, "labels as integers"),
        ([0, -1, 1], {}, "labels of at least 0"),
        ([0, 1, 2], {"logits": LOGITS}, "labels from 0 to 1"),
        (LABELS, {"logits": LOGITS[:2]}, "logits of 3 examples"),
        (LABELS, {"logits": LOGITS[:, 0]}, "logits of 3 axes"),
        (LABELS, {"logits": LOGITS[:, :1] * 0}, "two classes"),
        (LABELS, {"logits": LOGITS.astype(str)}, "logits as real numbers"),
        (LABELS, {"logits": LOGITS.astype(float) * 1e300}, "finite logits"),
        (LABELS, {"predictions": np.array([0, 1])}, "3 predictions"),
        (LABELS, {"images": np.zeros((3, 4, 4))}, "images of 4 axes"),
        (LABELS, {"trajectory": np.zeros((2, 4))}, "trajectory of 3 examples"),
        (LABELS, {"rows": np.array([1, 2])}, "3 rows"),
        (LABELS, {"batch_size": 0}, "positive batch size"),
        (LABELS, {"shadows": types.SimpleNamespace(members=np.ones((4, 2), bool))}, "shadows of the same 3 examples"),
    ],
)
def test_what_it_refuses(labels, fields, complaint):
    with pytest.raises(UserError, match=rf"^Expected [^\n]*{complaint}[^\n]*$"):
        Evidence(labels, **fields)
