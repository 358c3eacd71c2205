"""Pictures that are too dark to see."""

import numpy as np

from tfinv.reporting.figures import contrast, nearest

RAMP = np.linspace(0, 1, 100, dtype=np.float32).reshape(1, 10, 10, 1)


def test_faint():
    assert not contrast.are_faint(RAMP)
    assert contrast.are_faint(0.3 * RAMP)
    assert contrast.are_faint(0.6 + 0.3 * RAMP)
    assert contrast.are_faint(np.concatenate([RAMP, 0.1 * RAMP, 0.1 * RAMP]))
    assert not contrast.are_faint(np.concatenate([RAMP, RAMP, 0.1 * RAMP]))
    spark = 0.1 * RAMP.copy()
    spark[0, 0, 0] = 1.0  # one bright pixel of a hundred
    assert contrast.are_faint(spark)


def test_each_is_stretched_by_itself():
    dark, dull = 0.2 * RAMP, 0.4 + 0.1 * RAMP
    wide = contrast.stretched(np.concatenate([dark, dull, np.full_like(dark, 0.3)]))
    assert wide.dtype == np.float32
    np.testing.assert_allclose(wide[0], wide[1], atol=1e-5)
    assert (wide[0].min(), wide[0].max()) == (0, 1)
    assert np.mean((wide[0] > 0) & (wide[0] < 1)) >= 0.97
    np.testing.assert_allclose(wide[2], 0.3)


def test_colours_are_stretched_together():
    image = np.concatenate([RAMP * 0.2, RAMP * 0.1, RAMP * 0.1], axis=-1)
    wide = contrast.stretched(image)
    np.testing.assert_allclose(wide[..., 1][RAMP[..., 0] > 0.1], wide[..., 2][RAMP[..., 0] > 0.1])
    assert wide[..., 0].max() == 1
    assert 0.4 < wide[..., 1].max() < 0.6


def test_dark_reconstructions_have_a_column_that_says_so(tmp_path, monkeypatch):
    grids = []
    real = nearest.draw_grid
    monkeypatch.setattr(
        nearest, "draw_grid", lambda rows, columns, title: grids.append((rows, columns)) or real(rows, columns, title)
    )
    means = np.repeat(RAMP, 2, axis=0)
    for images in (RAMP, 0.1 * RAMP):
        nearest.class_grid(np.repeat(images, 2, axis=0), np.array([0, 1]), means, ("a", "b"), tmp_path / "grid.png")
    (_, bright), (rows, dark) = grids
    assert bright == ("class mean", "inverted")
    assert dark == ("class mean", "inverted", "inverted, contrast stretched")
    (_, (_, original, stretched)) = rows[1]
    np.testing.assert_array_equal(original.images[0], 0.1 * RAMP[0])
    np.testing.assert_allclose(stretched.images[0], contrast.stretched(RAMP)[0], atol=1e-5)
