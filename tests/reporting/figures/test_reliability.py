"""Reliability diagram and curves of corruptions."""

import pytest

import audited
from tfinv.errors import UserError
from tfinv.reporting.figures import canvas
from tfinv.reporting.figures.reliability import (
    describe_corruptions,
    describe_reliability,
    draw_corruptions,
    draw_reliability,
    worst_corruptions,
)


def _rows(kind):
    return [r for r in audited.rows() if r["kind"] == kind]


def test_both_are_drawn_and_say_in_words_what_they_show():
    for draw, kind in ((draw_reliability, "reliability"), (draw_corruptions, "corruption")):
        assert canvas.to_png(draw(_rows(kind))).startswith(b"\x89PNG")
        with pytest.raises(UserError, match=f"Expected rows of kind '{kind}'"):
            draw([])
    words = describe_reliability(_rows("reliability"))
    assert "most images (930) have a confidence from 90.0 to 100.0 %" in words
    words = describe_corruptions(_rows("corruption"))
    assert words.endswith("lowest under gaussian_noise.")


def test_a_bar_is_as_high_as_its_share_of_the_images():
    panel = draw_reliability(_rows("reliability")).axes[1]
    heights = [bar.get_height() for bar in panel.patches]
    assert sum(heights) == pytest.approx(1)
    assert max(heights) == pytest.approx(930 / sum(r["n"] for r in _rows("reliability")))


def test_the_worst_corruption_comes_first():
    assert worst_corruptions(_rows("corruption"))[0] == "gaussian_noise"
    assert worst_corruptions(_rows("corruption"))[-1] == "brightness"
