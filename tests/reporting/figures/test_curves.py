import numpy as np
import PIL.Image
import pytest
from matplotlib.colors import to_hex

from tfinv.errors import UserError
from tfinv.reporting.figures.curves import accuracy_curves, draw_accuracy_curves
from tfinv.reporting.figures.grids import Neighbours, image_grid, neighbour_grid
from tfinv.reporting.results.rows import rows_of

GREY = np.full((8, 8, 1), 0.5, np.float32)
COLOUR = np.full((4, 8, 3), 0.25, np.float32)


def _pixels(path):
    with PIL.Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_curves_have_a_panel_an_experiment_and_a_line_an_attack(results):
    figure = draw_accuracy_curves(rows_of(results, "accuracy"), chance=0.1)
    panels = [p for p in figure.axes if p.axison]
    assert [p.get_title(loc="left") for p in panels] == ["baseline", "positive", "reversal", "shuffled"]
    fgsm, pgd, artefact, poster, chance = panels[0].lines
    np.testing.assert_allclose(pgd.get_xdata(), [0, 0.05, 0.1, 0.25])
    np.testing.assert_allclose(pgd.get_ydata(), [0.9885, 0.928, 0.538, 0])
    assert artefact.is_dashed()
    assert not fgsm.is_dashed()
    assert len({to_hex(line.get_color()) for line in (fgsm, pgd, artefact)}) == 3
    assert sorted(poster.get_ydata()) == [0.956, 0.956, 0.956, 0.968]
    assert set(chance.get_ydata()) == {0.1}
    assert len(panels[0].collections) == 3  # the bands


def test_the_clean_accuracy_is_no_point_of_an_artefact(accuracy_row):
    rows = [accuracy_row("m", "none", 0.0, 0.9), accuracy_row("m", "fgsm-artefact", 0.1, 0.8)]
    (panel,) = draw_accuracy_curves(rows).axes
    np.testing.assert_allclose(panel.lines[0].get_xdata(), [0.1])


@pytest.mark.parametrize("count", [1, 5, 9])
def test_curves_are_written_for_any_number_of_experiments(tmp_path, count, accuracy_row):
    rows = [accuracy_row(f"m{i} $x_", "pgd", eps, 0.5) for i in range(count) for eps in (0.1, 0.2)]
    path = accuracy_curves(rows, tmp_path / "new" / "curves.png")
    assert _pixels(path).min() < 200
    assert [p.name for p in path.parent.iterdir()] == ["curves.png"]


def test_curves_without_attacks_are_refused(tmp_path, accuracy_row):
    with pytest.raises(UserError, match="at least one attack"):
        accuracy_curves([accuracy_row("m", "none", 0.0, 0.5)], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_names_are_drawn_as_they_are(tmp_path, accuracy_row):
    rows = [accuracy_row(r"$\nothing{ " + "\N{SNOWMAN}\U0001f600", "pgd", 0.1, 0.5)]
    accuracy_curves(rows, tmp_path / "a.png")


def test_grid_shows_each_image_once_and_unsmoothed(tmp_path):
    checker = np.indices((4, 4)).sum(0)[..., None] % 2
    image = np.concatenate([checker, 0 * checker, 0 * checker], -1).astype(np.float32)
    path = image_grid({"a": [image, None], "b": [GREY, COLOUR]}, tmp_path / "g.png", columns=["x", "y"])
    colours, counts = np.unique(_pixels(path).reshape(-1, 3), axis=0, return_counts=True)
    pixel_counts = {tuple(map(int, c)): int(n) for c, n in zip(colours, counts, strict=True)}
    cell = (0.9 * 160) ** 2
    assert pixel_counts[255, 0, 0] == pytest.approx(cell / 2, rel=0.05)
    assert pixel_counts[(127,) * 3] + pixel_counts.get((128,) * 3, 0) == pytest.approx(cell, rel=0.05)
    assert pixel_counts[(63,) * 3] + pixel_counts.get((64,) * 3, 0) == pytest.approx(
        cell / 2, rel=0.05
    )  # half as high as wide


def test_neighbour_grid_frames_the_reconstruction(tmp_path):
    cell = Neighbours(GREY, [COLOUR, GREY], ["0.9", "0.8"])
    path = neighbour_grid({"m": [cell, None]}, tmp_path / "n.png", title="t")
    frame = (_pixels(path) == (0xD5, 0x5E, 0x00)).all(-1)
    assert frame.sum() > 4 * 100


@pytest.mark.parametrize(
    ("rows", "expectation"),
    [
        ({}, "rows of one length"),
        ({"a": []}, "rows of one length"),
        ({"a": [GREY], "b": [GREY, GREY]}, "rows of one length"),
        ({"a": [GREY[..., 0]]}, "float images"),
        ({"a": [(255 * GREY).astype(np.uint8)]}, "float images"),
        ({"a": [GREY * 3]}, r"pixels in \[0, 1\]"),
        ({"a": [GREY * np.nan]}, r"pixels in \[0, 1\]"),
    ],
)
def test_what_is_no_grid_of_images_is_refused(tmp_path, rows, expectation):
    with pytest.raises(UserError, match=expectation):
        image_grid(rows, tmp_path / "g.png")
    assert not list(tmp_path.iterdir())


def test_titles_must_match_the_columns(tmp_path):
    with pytest.raises(UserError, match="1 column titles"):
        image_grid({"a": [GREY]}, tmp_path / "g.png", columns=["x", "y"])


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.png"):
        image_grid({"a": [GREY]}, tmp_path / "g.jpg")
