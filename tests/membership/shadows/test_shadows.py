"""Views on shadows: margins, complements, and what stays in memory."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.membership.evidence import Evidence
from tfinv.membership.shadows import reading
from tfinv.membership.shadows.shadows import Shadows, complements
from tfinv.membership.signals import margin

MEMBERS = np.array([[1, 0, 1, 0, 1], [1, 0, 0, 1, 0], [0, 1, 1, 0, 1]], bool)
LABELS = np.array([0, 1, 2])


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(5, 3, 2, 4)).astype(np.float32)


def test_margins_are_those_of_the_logits(logits):
    shadows = Shadows.from_arrays(logits, MEMBERS, LABELS)
    margins = shadows.margins(slice(1, 3))
    assert (margins.shape, margins.dtype) == ((2, 5, 2), np.float64)
    np.testing.assert_array_equal(margins[1, 4], margin(logits[4, 2], np.array([2, 2])))
    np.testing.assert_array_equal(shadows.margins(slice(0, 3), 1), shadows.margins(slice(0, 3))[:, :, :1])


def test_logits_of_one_query_may_leave_its_axis_out(logits):
    shadows = Shadows.from_arrays(logits[:, :, 0], MEMBERS, LABELS)
    assert (shadows.size, shadows.queries, shadows.classes) == (5, 1, 4)
    np.testing.assert_array_equal(shadows.logits(3, [2, 0]), logits[3, [2, 0], :1])


def test_complements_are_paired_once():
    assert complements(MEMBERS).tolist() == [1, 0, 3, 2, -1]
    assert complements(np.array([[1, 0, 1, 0], [1, 0, 1, 0]], bool)).tolist() == [1, 0, 3, 2]
    assert complements(np.array([[1, 0, 0], [1, 0, 0]], bool)).tolist() == [1, 0, -1]


def test_without_keeps_the_pairs_of_the_others(logits):
    shadows = Shadows.from_arrays(logits, MEMBERS, LABELS).without([1, 4])
    assert shadows.pairs.tolist() == [-1, 2, 1]
    np.testing.assert_array_equal(shadows.members, MEMBERS[:, [0, 2, 3]])
    np.testing.assert_array_equal(shadows.logits(1, slice(None)), logits[2])


def test_rows_are_of_the_view_also_when_taken_twice(logits):
    shadows = Shadows.from_arrays(logits, MEMBERS, LABELS)
    view = shadows.rows([2, 0]).rows(np.array([False, True]))
    assert view.labels.tolist() == [0]
    np.testing.assert_array_equal(view.members, MEMBERS[:1])
    np.testing.assert_array_equal(view.margins(slice(0, 1)), shadows.margins(slice(0, 1)))
    np.testing.assert_array_equal(view.logits(2, slice(None)), logits[2, :1])


def test_evidence_takes_its_shadows_along(logits):
    evidence = Evidence(LABELS, logits=logits[0], shadows=Shadows.from_arrays(logits, MEMBERS, LABELS)).take([1])
    np.testing.assert_array_equal(evidence.shadows.margins(slice(0, 1))[0, 2], margin(logits[2, 1], np.array([1, 1])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": MEMBERS[:2]}, r"members \(3, 5\) and labels"),
        ({"members": 2 * MEMBERS.astype(int)}, "of 0 and 1"),
        ({"labels": np.array([0, 1, 4])}, "labels below 4"),
        ({"labels": np.array([0.0, 1, 2])}, "integers from 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(logits, change, message):
    with pytest.raises(UserError, match=message):
        Shadows.from_arrays(**{"logits": logits, "members": MEMBERS, "labels": LABELS} | change)


def test_logits_that_are_not_finite_are_refused(logits):
    logits[2, 1, 0, 0] = np.nan
    with pytest.raises(UserError, match="finite logits"):
        Shadows.from_arrays(logits, MEMBERS, LABELS)
    shadows = Shadows(MEMBERS, LABELS, list(logits), [None] * 5, complements(MEMBERS))  # as of a user's files
    with pytest.raises(UserError, match="NaN or infinity of shadow 2"):
        shadows.margins(slice(0, 3))


class Watched:
    """An array that notes how many of its rows are read at a time."""

    def __init__(self, array):
        self.array, self.shape, self.most = array, array.shape, 0

    def __getitem__(self, rows):
        part = self.array[rows]
        self.most = max(self.most, len(part))
        return part


@pytest.mark.parametrize("n", [100, 1000])
def test_few_rows_are_read_at_a_time_however_many_there_are(monkeypatch, n):
    monkeypatch.setattr(reading, "_CHUNK", 120)
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4, n, 1, 3)).astype(np.float32)
    members, labels = generator.random((n, 3)) < 0.5, np.zeros(n, np.int64)
    sources = [Watched(array) for array in logits[:3]]
    shadows = Shadows(members, labels, sources, [None] * 3, np.full(3, -1))
    parts = list(reading.chunks(Evidence(labels, logits=logits[3], shadows=shadows)))
    assert [source.most for source in sources] == [40] * 3
    expectation = np.moveaxis(margin(logits[:3], np.zeros((3, n), np.int64)), 0, 1)
    np.testing.assert_array_equal(np.concatenate([part.shadows for part in parts]), expectation)
    np.testing.assert_array_equal(np.concatenate([part.target for part in parts]), margin(logits[3], labels))


@pytest.mark.parametrize(
    ("target", "labels", "message"),
    [
        ((3, 2, 5), LABELS, "2 queries and 5 classes"),
        ((3, 1, 4), LABELS, "1 queries and 4 classes"),
        ((3, 2, 4), LABELS[::-1], "2 other labels"),
    ],
)
def test_shadows_of_another_target_are_refused(logits, target, labels, message):
    evidence = Evidence(labels, logits=np.zeros(target), shadows=Shadows.from_arrays(logits, MEMBERS, LABELS))
    with pytest.raises(UserError, match=message):
        next(reading.chunks(evidence))


def test_more_queries_than_there_are_are_refused(logits):
    evidence = Evidence(LABELS, logits=logits[0], shadows=Shadows.from_arrays(logits, MEMBERS, LABELS))
    with pytest.raises(UserError, match="at most 2 queries"):
        next(reading.chunks(evidence, 3))
