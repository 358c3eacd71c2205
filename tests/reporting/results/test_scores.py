"""Scores beside the results."""

import numpy as np
import pytest

import membership_rows
from tfinv.errors import UserError
from tfinv.reporting.results.at_risk import find_at_risk
from tfinv.reporting.results.scores import Scores


def test_what_is_written_is_read(tmp_path):
    scores = membership_rows.single_scores(experiments=("none", "dp"), classes=("cat", "dog"))
    path = scores.write(tmp_path, membership_rows.images())
    assert path == tmp_path / "scores.npz"
    again = Scores.read(tmp_path)
    for field in ("scores", "members", "labels"):
        np.testing.assert_array_equal(getattr(again, field), getattr(scores, field))
        assert getattr(again, field).dtype == getattr(scores, field).dtype
    assert (again.attacks, again.experiments, again.classes) == (("lira", "gap"), ("none", "dp"), ("cat", "dog"))
    assert again.at_risk.images.shape == (4, 5, 4, 4, 1)
    # Written once more it has the same records, without the images of all others.
    again.write(tmp_path)
    np.testing.assert_array_equal(Scores.read(tmp_path).at_risk.images, again.at_risk.images)


def test_a_folder_without_scores_has_none(tmp_path):
    assert Scores.read(tmp_path) is None


def test_one_target_needs_no_axis():
    scores = membership_rows.single_scores()
    assert (scores.scores.shape, scores.members.shape, scores.targets) == ((2, 1, 8), (1, 8), 1)
    members, nonmembers = scores.split(0, 0)
    assert (tuple(members), tuple(nonmembers)) == (membership_rows.LIRA[:4], membership_rows.LIRA[4:])


def test_the_strongest_has_the_highest_tpr_and_then_auc():
    scores = membership_rows.single_scores()
    assert (scores.tpr(0), scores.tpr(1), scores.auc(0), scores.auc(1)) == (0.5, 0.0, 13 / 16, 0.625)
    assert scores.strongest() == 0
    tied = membership_rows.single_scores(scores=np.array([membership_rows.GAP, np.zeros(8)]))
    assert tied.strongest() == 0


def test_neighbours_are_the_nearest_other_records(tmp_path):
    at_risk = find_at_risk(
        0, np.array([membership_rows.LIRA]), np.array([membership_rows.MEMBERS]), membership_rows.images()
    )
    assert at_risk.records.tolist() == [0, 1, 2, 3]
    assert at_risk.neighbours[0].tolist() == [7, 1, 2, 3]  # a duplicate first, and never the record itself
    np.testing.assert_allclose(at_risk.distances[0], [0, 0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(at_risk.images[0, :, 0, 0, 0], [0, 0, 0.1, 0.2, 0.3], atol=1e-6)


def test_of_members_above_all_others_the_highest_come_first():
    scores = np.array([(5.0, np.inf, 7.0, 6.0, 1.0, 0.0)])
    members = np.array([(True,) * 4 + (False,) * 2])
    assert find_at_risk(0, scores, members, count=3).records.tolist() == [1, 2, 3]


def test_stability_survives_the_file(tmp_path):
    members = np.array([[True] * 20 + [False] * 20] * 3)
    scores = np.random.default_rng(0).normal(members, 1.0)[np.newaxis]
    Scores(["a"], scores, members, np.zeros(40, int)).write(tmp_path)
    expected = find_at_risk(0, scores[0], members).stability
    assert Scores.read(tmp_path).at_risk.stability == expected
    two = Scores(["a"], scores[:, :2], members[:2], np.zeros(40, int))
    two.write(tmp_path)
    stability = Scores.read(tmp_path).at_risk.stability
    assert stability.correlation_ci95 is None
    assert stability.pairs == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": np.full((2, 8), np.nan)}, "scores that are numbers"),
        ({"scores": np.zeros((2, 7))}, r"scores \(attacks, targets, records\)"),
        ({"attacks": ("lira",)}, r"scores \(attacks, targets, records\)"),
        ({"attacks": (), "scores": np.zeros((0, 8))}, r"scores \(attacks, targets, records\)"),
        ({"members": np.ones(8, bool)}, "members and non-members of each target"),
        ({"labels": np.zeros(7, int)}, r"labels \(8,\)"),
        ({"labels": np.zeros(8)}, r"labels \(8,\)"),
        ({"classes": ("cat",)}, "a name for each class"),
        ({"experiments": ("none",)}, "an experiment for each of 2 attacks"),
    ],
)
def test_what_does_not_fit_is_one_line(fields, message):
    with pytest.raises(UserError, match=f"Expected {message}"):
        membership_rows.single_scores(**fields)


def test_images_are_those_of_the_records(tmp_path):
    with pytest.raises(UserError, match="of 8 records"):
        membership_rows.single_scores().write(tmp_path, membership_rows.images()[:7])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_one_line(tmp_path, data):
    (tmp_path / "scores.npz").write_bytes(data)
    with pytest.raises(UserError, match=r"a whole \.npz file of scores"):
        Scores.read(tmp_path)


def test_a_file_that_needs_code_or_lacks_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "scores.npz", scores=np.array([{}], object))
    with pytest.raises(UserError, match=r"a whole \.npz file of scores"):
        Scores.read(tmp_path)
    np.savez(tmp_path / "scores.npz", scores=np.zeros((1, 2)))
    with pytest.raises(UserError, match="as a membership command writes them"):
        Scores.read(tmp_path)


@pytest.mark.parametrize(("field", "value"), [("records", [0, 1, 2, 8]), ("attack", 2), ("rate", [0.5])])
def test_records_that_do_not_exist_are_refused(tmp_path, field, value):
    path = membership_rows.single_scores().write(tmp_path)
    with np.load(path) as file:
        arrays = {k: file[k] for k in file.files} | {f"at_risk_{field}": np.array(value)}
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="as a membership command writes them"):
        Scores.read(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    inside = tmp_path / "work"
    inside.mkdir()
    membership_rows.single_scores().write(tmp_path)
    (inside / "scores.npz").symlink_to(tmp_path / "scores.npz")
    with pytest.raises(UserError, match="inside the work folder"):
        Scores.read(inside)


def test_what_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    membership_rows.single_scores().write(tmp_path)
    monkeypatch.setattr("tfinv.reporting.results.scores._MAX_BYTES", 100)
    with pytest.raises(UserError, match="at most"):
        Scores.read(tmp_path)
