"""Values that the picture of a frontier shows."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.evaluation.frontier.line import Point, fit_line
from tfinv.reporting.figures.scatter import draw_frontier, frontier_plot, shorten_labels

SWEPT = [
    Point(n, x, y, (x - 0.02, x + 0.03), (y - 0.1, y + 0.05))
    for n, x, y in (("a", 0, 0.2), ("b", 0.4, 0.5), ("c", 0.9, 0.9))
]
HELD = Point("b+reversal", 0.45, 0.3, (0.4, 0.5), (0.2, 0.4), swept=False, twin="b")
FLAWED = Point("d", 0.1, 0.1, flaw="which has not learnt to classify")


def axes_of(points, **arguments):
    return draw_frontier(points, x="robust", y="leak", **arguments).axes[0]


def legend(axes):
    return {text.get_text() for text in axes.figure.legends[0].get_texts()}


def test_models_lie_at_their_figures_with_their_bars():
    axes = axes_of(SWEPT)
    (container,) = axes.containers
    data, _, (across, up) = container.lines
    np.testing.assert_allclose(data.get_xydata(), [(p.x, p.y) for p in SWEPT])
    np.testing.assert_allclose(across.get_segments()[1], [(0.38, 0.5), (0.43, 0.5)])
    np.testing.assert_allclose(up.get_segments()[1], [(0.4, 0.4), (0.4, 0.55)])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("robust", "leak")
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]


def test_a_held_model_is_joined_to_its_twin_and_a_flawed_one_apart():
    axes = axes_of([*SWEPT, HELD, FLAWED])
    assert any(
        np.allclose(line.get_xydata(), [(0.4, 0.5), (0.45, 0.3)]) for line in axes.lines if len(line.get_xydata()) == 2
    )
    assert {"swept", "held against the line", "not counted"} <= legend(axes)


def test_the_band_is_the_predictions_at_the_level_and_marks_have_names():
    line = fit_line(SWEPT)
    axes = axes_of(SWEPT, line=line, level=0.99, marks={"start": 0.1})
    (band,) = axes.collections[:1]
    low, high = line.prediction(0.0, 0.99)
    at_0 = band.get_paths()[0].vertices
    assert at_0[at_0[:, 0] == 0][:, 1].min() == pytest.approx(float(low))
    assert at_0[at_0[:, 0] == 0][:, 1].max() == pytest.approx(float(high))
    assert {"99 % of further models", "start"} <= legend(axes)
    # What is drawn sets the scale, and not a band of little certainty.
    assert axes.get_ylim()[0] > -0.1


def test_names_of_models_that_lie_together_do_not_overlap():
    labels = [f"fast(eps={n}/255)" for n in (1, 2, 4, 8)]
    crowd = [Point(label, 0.5 + 0.01 * i, 0.5) for i, label in enumerate(labels)]
    axes = axes_of([*crowd, Point("none", 0.0, 0.1), Point("strong", 0.9, 0.9)])
    names = [text.get_window_extent() for text in axes.texts if text.get_text() in labels]
    assert len(names) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(names) for b in names[:i])


def test_the_same_models_give_the_same_picture(tmp_path):
    first, second = (frontier_plot([*SWEPT, HELD], tmp_path / f"{n}.png", x="x", y="y") for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()


def test_it_is_written(tmp_path):
    path = frontier_plot(
        [*SWEPT, HELD, FLAWED], tmp_path / "f.png", x="x", y="y", line=fit_line(SWEPT), marks={"start": 0.1}
    )
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="at least one point"):
        frontier_plot([], tmp_path / "g.png", x="x", y="y")


def test_names_leave_out_what_all_of_a_recipe_share():
    labels = ["atat(weight=0.8)", "none", "fast(eps=0.1,ramp=.5)", "fast(eps=0.2,ramp=.5)"]
    assert shorten_labels(labels) == ["atat(weight=0.8)", "none", "fast(eps=0.1)", "fast(eps=0.2)"]
    combined = ["fast(eps=.1)+mid(beta=2)", "fast(eps=.2)+mid(beta=2)"]
    assert shorten_labels(combined) == combined
