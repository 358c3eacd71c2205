"""The line of a sweep, against figures worked out by hand."""

import numpy as np
import pytest

from tfinv.errors import UserError
from tfinv.evaluation.frontier.line import Point, fit_line, leaves

# y = 2 x + 1, but for residuals +1, -1, -1, +1, which a line can't follow.
X, RESIDUALS = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, -1.0, -1.0, 1.0])
POINTS = [Point(str(i), x, 2 * x + 1 + e) for i, (x, e) in enumerate(zip(X, RESIDUALS, strict=True))]
T_2 = 4.302652729911275  # Student's 97.5 % quantile of 2 degrees of freedom


def test_the_line_is_that_of_least_squares():
    line = fit_line(POINTS)
    assert line.slope == pytest.approx(2)
    assert line.intercept == pytest.approx(1)
    assert line.error == pytest.approx(np.sqrt(4 / 2))
    # cov(x, y) = 2 var(x), var(y) = 4 var(x) + var(residuals)
    assert line.r == pytest.approx(2 * 1.25 / np.sqrt(1.25 * (4 * 1.25 + 1)))
    # y is 2, 2, 4, 8, and the two that tie share their ranks.
    assert line.rho == pytest.approx(4.5 / np.sqrt(5 * 4.5))


def test_a_further_point_is_predicted_with_the_lines_own_uncertainty():
    line = fit_line(POINTS)
    low, high = line.prediction(1.5)
    assert (high - low) / 2 == pytest.approx(T_2 * np.sqrt(2) * np.sqrt(1 + 1 / 4))
    low, high = line.prediction(5.0)
    assert (high - low) / 2 == pytest.approx(T_2 * np.sqrt(2) * np.sqrt(1 + 1 / 4 + 3.5**2 / 5))


def test_a_model_leaves_the_line_beyond_its_prediction():
    line = fit_line(POINTS)
    low, high = (float(v) for v in line.prediction(1.0))
    below = Point("b", 1.0, low - 0.1, swept=False)
    assert leaves(line, below, lower=True)
    assert not leaves(line, below, lower=False)
    assert not leaves(line, below, lower=True, level=0.99)
    assert not leaves(line, Point("c", 1.0, low + 0.1), lower=True)
    assert leaves(line, Point("d", 1.0, high + 0.1), lower=False)


def test_points_that_are_not_swept_do_not_move_the_line():
    assert fit_line([*POINTS, Point("far", 10.0, -50.0, swept=False)]) == fit_line(POINTS)
    assert fit_line([*POINTS, Point("broken", 10.0, -50.0, flaw="which learnt nothing")]) == fit_line(POINTS)


@pytest.mark.parametrize("points", [POINTS[:2], [Point("a", 1.0, y) for y in (1, 2, 3)]])
def test_too_few_points_have_no_line(points):
    with pytest.raises(UserError, match="at least 3 swept models"):
        fit_line(points)
