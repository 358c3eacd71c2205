"""Figures of membership attacks: what they draw, value by value."""

import io

import numpy as np
import PIL.Image
import pytest

import membership_rows
from tfinv.errors import UserError
from tfinv.reporting import Results
from tfinv.reporting.figures import canvas, membership, membership_pictures
from tfinv.reporting.figures.membership import draw_histograms, draw_roc, histograms, mean_curve
from tfinv.reporting.results.scores import Scores

EVIL = r"$\nothing{ <b>x</b>"


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_curve_has_the_thresholds_that_exist():
    scores = membership_rows.single_scores()
    fprs, tprs = mean_curve(scores, 0)
    np.testing.assert_array_equal(fprs, [0, 0.25, 0.5, 1])
    np.testing.assert_array_equal(tprs, [[0.5, 0.75, 1, 1]])
    fprs, tprs = mean_curve(scores, 1)  # nothing is drawn through what is tied
    np.testing.assert_array_equal(fprs, [0, 0.5, 1])
    np.testing.assert_array_equal(tprs, [[0, 0.75, 1]])


def test_curves_are_steps_on_logarithmic_axes_over_the_diagonal():
    figure = draw_roc(membership_rows.single_scores())
    (panel,) = figure.axes
    lira, gap, diagonal = panel.lines
    assert lira.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(lira.get_xydata(), [(0.125, 0.5), (0.25, 0.75), (0.5, 1), (1, 1)])
    assert gap.get_color() != lira.get_color()
    np.testing.assert_array_equal(diagonal.get_xydata(), [(0.125, 0.125), (1, 1)])
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    assert (panel.get_xlim(), panel.get_ylim()) == ((0.125, 1), (0.125, 1))
    assert [t.get_text() for t in panel.get_xticklabels()] == ["100"]
    assert legend(figure) == ["lira", "gap", "guessing"]
    assert not panel.collections


def test_ticks_are_powers_of_ten_in_percent():
    members = np.repeat([True, False], 1000)
    scores = Scores(["a"], np.random.default_rng(0).normal(members, 1.0)[None], members, np.zeros(2000, int))
    (panel,) = draw_roc(scores).axes
    assert [t.get_text() for t in panel.get_xticklabels()] == ["0.1", "1", "10", "100"]
    canvas.to_png(panel.figure)
    assert [t.get_text() for t in panel.get_yticklabels()] == ["0.1", "1", "10", "100"]


def test_several_targets_are_their_mean_with_a_band():
    scores = membership_rows.paired_scores()
    scores.scores[0, 1] = membership_rows.GAP[::-1]
    (panel,) = draw_roc(scores).axes
    np.testing.assert_array_equal(panel.lines[0].get_xydata(), [(0.125, 0.25), (0.25, 0.375), (0.5, 0.875), (1, 1)])
    (band,) = panel.collections
    at_zero = [y for x, y in band.get_paths()[0].vertices if x == 0.125]
    assert (min(at_zero), max(at_zero)) == (0, 0.5)


def test_many_points_are_thinned_and_none_is_moved():
    members = np.repeat([True, False], 5000)
    scores = Scores(["a"], np.random.default_rng(0).normal(members, 1.0)[None], members, np.zeros(10_000, int))
    fprs, tprs = mean_curve(scores, 0)
    assert 500 < len(fprs) <= 1001
    assert (fprs[0], fprs[1], fprs[-1]) == (0, 1 / 5000, 1)
    places = np.random.default_rng(1).integers(len(fprs), size=20)
    np.testing.assert_array_equal([scores.tpr(0, f) for f in fprs[places]], tprs[0, places])


def test_each_experiment_has_a_panel_and_each_attack_its_colour():
    scores = Scores(
        ["a", "b", "b"],
        np.array([membership_rows.LIRA] * 3),
        np.array(membership_rows.MEMBERS),
        np.array(membership_rows.LABELS),
        experiments=["none", "none", "dp"],
    )
    figure = draw_roc(scores)
    none, dp = figure.axes
    assert (none.get_title(loc="left"), dp.get_title(loc="left")) == ("none", "dp")
    assert none.lines[1].get_color() == dp.lines[0].get_color()
    assert legend(figure) == ["a", "b", "guessing"]
    assert [p.get_title(loc="left") for p in draw_histograms(scores).axes] == ["a on none", "b on none", "b on dp"]


def test_histograms_are_shares_of_each_side():
    edges, members, nonmembers = histograms(membership_rows.single_scores(), 1)
    assert (edges[0], edges[-1], len(edges)) == (0, 1, 41)
    assert (members[0], members[-1], members.sum()) == (0.25, 0.75, 1)
    assert (nonmembers[0], nonmembers[-1], nonmembers.sum()) == (0.5, 0.5, 1)


@pytest.mark.parametrize("value", [0.0, 3.0, np.inf, -np.inf])
def test_scores_that_are_all_one_have_a_picture(value):
    scores = membership_rows.single_scores(attacks=("a",), scores=np.full((1, 8), value))
    edges, members, nonmembers = histograms(scores, 0)
    assert edges[-1] > edges[0]
    assert (members.sum(), nonmembers.sum()) == (1, 1)
    for draw in (draw_roc, draw_histograms):
        assert canvas.to_png(draw(scores)).startswith(b"\x89PNG")


def test_infinite_scores_are_in_the_outermost_bars():
    scores = membership_rows.single_scores(attacks=("a",), scores=np.array([(np.inf, 0, 1, 2, -np.inf, 0, 1, 2)]))
    _, members, nonmembers = histograms(scores, 0)
    assert (members.sum(), nonmembers.sum()) == (1, 1)
    assert members[-1] == 0.5
    assert nonmembers[0] == 0.5


def test_the_threshold_at_1_percent_is_marked_for_a_single_target():
    figure = draw_histograms(membership_rows.single_scores())
    assert len(figure.axes) == 2
    assert set(figure.axes[0].lines[0].get_xdata()) == {0.75}  # no non-member is above
    assert legend(figure) == ["members", "non-members", "threshold at 1 % FPR"]
    assert legend(draw_histograms(membership_rows.paired_scores())) == ["members", "non-members"]


def test_of_many_attacks_the_strongest_are_drawn(monkeypatch):
    monkeypatch.setattr(membership, "MOST_PANELS", 1)
    gap, lira = membership_rows.GAP, membership_rows.LIRA
    scores = membership_rows.single_scores(attacks=("gap", "lira"), scores=np.array([gap, lira]))
    assert membership.strongest_lines(scores) == [1]
    assert "with the highest AUC" in membership_pictures.membership_pictures(scores)[1].caption


def test_records_at_risk_are_framed_beside_their_neighbours(tmp_path):
    membership_rows.single_scores(classes=("cat", EVIL)).write(tmp_path, membership_rows.images())
    figure = membership_pictures.draw_at_risk(Scores.read(tmp_path))
    (axes,) = figure.axes
    texts = [t.get_text() for t in axes.texts]
    assert texts[:3] == ["lira", "at risk", "nearest other records"]
    assert "no. 0\nabove 100.0 %" in texts
    (duplicate,) = [t for t in texts if t.startswith("no. 7\n") and t.endswith("\nout, 0.000")]
    assert duplicate.split("\n")[1].startswith("$")
    assert any(t.startswith("no. 2\ncat\nin, 0.200") for t in texts)
    assert len(axes.patches) == 4
    assert len(axes.images) == 4 * 5


def test_who_is_a_member_differs_by_target(tmp_path):
    membership_rows.paired_scores().write(tmp_path, membership_rows.images())
    (axes,) = membership_pictures.draw_at_risk(Scores.read(tmp_path)).axes
    assert not any(", 0." in t.get_text() for t in axes.texts)


def test_scores_without_images_have_no_picture_of_records(tmp_path):
    scores = membership_rows.single_scores()
    names = [p.name for p in membership_pictures.membership_pictures(scores)]
    assert names == ["membership_roc", "membership_scores"]
    assert membership_pictures.membership_pictures(None) == []
    with pytest.raises(UserError, match="images of the records at risk"):
        membership_pictures.draw_at_risk(scores)


def test_pictures_have_captions_with_their_figures(tmp_path):
    membership_rows.single_scores().write(tmp_path, membership_rows.images())
    pictures = membership_pictures.membership_pictures(Scores.read(tmp_path))
    assert tuple(p.name for p in pictures) == membership_pictures.NAMES
    assert "Highest at 1 % false positives: lira with 50.0 %." in pictures[0].caption
    for picture in pictures:
        with PIL.Image.open(io.BytesIO(picture.data)) as image:
            assert 300 < image.width * 96 / 160 < 1100  # CSS pixels
    (only,) = membership_pictures.membership_pictures(Scores.read(tmp_path), membership_pictures.NAMES[1:])
    assert only.name == "membership_roc"


def test_scores_of_another_command_are_not_looked_at(tmp_path):
    (tmp_path / "scores.npz").write_bytes(b"of another program")
    assert membership_pictures.read_scores(Results("train", {}), tmp_path) is None
    with pytest.raises(UserError, match="a whole"):
        membership_pictures.read_scores(Results("membership", {}, membership_rows.attack_rows()), tmp_path)


def test_names_are_drawn_as_they_are():
    scores = membership_rows.single_scores(attacks=(EVIL, "b" * 200), experiments=(EVIL, "c"))
    for draw in (draw_roc, draw_histograms):
        assert canvas.to_png(draw(scores)).startswith(b"\x89PNG")
