"""Fréchet distances in closed form, and PRDC of point sets small enough to count."""

import numpy as np
import pytest
from scipy import linalg

from tfinv.errors import UserError
from tfinv.evaluation.inversion import distribution
from tfinv.evaluation.inversion.distribution import fid, frechet_distance, prdc


def test_frechet_distance_of_gaussians_that_commute():
    """Diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2 of the standard deviations."""
    distance = frechet_distance(np.zeros(2), np.diag([4.0, 9.0]), np.array([3.0, 4.0]), np.diag([1.0, 25.0]))
    assert distance == pytest.approx(25 + 1 + 4, abs=1e-9)
    assert frechet_distance([0], [[4.0]], [1], [[9.0]]) == pytest.approx(2)


def test_frechet_distance_of_gaussians_that_do_not_commute():
    rng = np.random.default_rng(0)
    a, b = (m @ m.T for m in rng.standard_normal((2, 5, 5)))
    expected = np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert frechet_distance(np.zeros(5), a, np.zeros(5), b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(np.zeros(5), b, np.zeros(5), a) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(np.ones(5), a, np.ones(5), a) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_singular_covariances():
    first = np.diag([1.0, 0.0])
    assert frechet_distance(np.zeros(2), first, np.zeros(2), np.diag([0.0, 1.0])) == pytest.approx(2)


def test_fid():
    rng = np.random.default_rng(1)
    real = rng.standard_normal((40, 3))
    assert fid(real, real) == pytest.approx(0, abs=1e-9)
    assert fid(real, real + [3, 0, 4]) == pytest.approx(25)
    variance = np.trace(np.cov(real, rowvar=False))  # twice the deviations: (2 s - s)^2
    assert fid(real, real.mean(0) + 2 * (real - real.mean(0))) == pytest.approx(variance)


def test_fid_refuses_singular_covariances_unless_they_are_shrunk():
    few, many = np.random.default_rng(2).standard_normal((5, 5)), np.random.default_rng(3).standard_normal((50, 5))
    for real, fake in ((few, many), (many, few)):
        with pytest.raises(UserError, match=r"more images than the 5 features\. Received: 5"):
            fid(real, fake)
        assert fid(real, fake, shrink=True) > 0
    assert fid(few, few + 1, shrink=True) == pytest.approx(5)


def line(*places):
    return np.array(places, float)[:, None]


def test_prdc_by_hand():
    """k=1: the radii of 0, 1, 3, 10 are 1, 1, 2, 7; those of .5, 2, 20 are 1.5, 1.5, 18."""
    result = prdc(line(0, 1, 3, 10), line(0.5, 2, 20), k=1)
    np.testing.assert_array_equal(
        result.density, [2, 1, 0]
    )  # .5 in the balls of 0, 1; 2 only in that of 3: |2 - 1| is not below 1
    np.testing.assert_array_equal(result.precision, [True, True, False])
    np.testing.assert_array_equal(result.coverage, [True, True, True, False])
    # 0, 1 within 1.5 of .5; 1, 3 of 2; 3, 10 of 20 within 18.
    np.testing.assert_array_equal(result.recall, [True, True, True, True])
    far = prdc(line(0, 1, 3, 10), line(100, 101, 102), k=1)
    assert not any(np.any(part) for part in (far.precision, far.recall, far.density, far.coverage))


def test_prdc_of_a_copy_and_of_a_collapse():
    real = np.random.default_rng(0).standard_normal((60, 4))
    same = prdc(real, real, k=3)
    assert same.precision.all()
    assert same.recall.all()
    assert same.coverage.all()
    collapsed = prdc(real, np.repeat(real[:1], 60, axis=0), k=3)
    assert collapsed.precision.all()
    assert collapsed.recall.mean() == 0  # all radii are 0
    assert collapsed.coverage.mean() < 0.5


@pytest.mark.parametrize("k", [1, 3, 5])
def test_prdc_keeps_to_its_definition(k, monkeypatch):
    rng = np.random.default_rng(k)
    real, fake = rng.standard_normal((50, 3)), 1.2 * rng.standard_normal((37, 3)) + 0.5
    result = prdc(real, fake, k)
    between = np.linalg.norm(fake[:, None] - real, axis=-1)
    radii = [np.sort(np.linalg.norm(x[:, None] - x, axis=-1), axis=1)[:, k] for x in (real, fake)]
    np.testing.assert_array_equal(result.density, (between < radii[0]).sum(1) / k)
    np.testing.assert_array_equal(result.precision, result.density > 0)
    np.testing.assert_array_equal(result.recall, (between < radii[1][:, None]).any(0))
    np.testing.assert_array_equal(result.coverage, between.min(0) < radii[0])
    monkeypatch.setattr(distribution, "_BLOCK", 7)
    blocks = prdc(real, fake, k)
    for part in ("precision", "recall", "density", "coverage"):
        np.testing.assert_array_equal(getattr(blocks, part), getattr(result, part))
    with pytest.raises(UserError, match=f"more than k={k}"):
        prdc(real, fake[:k], k)
