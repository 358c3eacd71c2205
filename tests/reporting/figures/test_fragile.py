"""The picture of adversarial images."""

import numpy as np
import PIL.Image
import pytest

from tfinv.errors import UserError
from tfinv.reporting.figures.fragile import fragile_grid

TEXTS = (["no. 3"], ["seven, 99 %"], ["one, 60 %"])


@pytest.mark.parametrize(("change", "factor"), [(0.3, 1), (0.2, 2), (0.1, 5), (8 / 255, 10), (0.0005, 500)])
def test_a_perturbation_is_multiplied_until_it_is_seen(tmp_path, change, factor):
    images = np.full((1, 4, 4, 3), 0.25, np.float32)
    assert fragile_grid(images, images + np.float32(change), *TEXTS, tmp_path / "f.png") == factor
    with PIL.Image.open(tmp_path / "f.png") as picture:
        levels = np.unique(np.asarray(picture.convert("L")))
    # The perturbation is drawn around grey.
    assert np.abs(levels - 255 * (0.5 + factor * change)).min() < 1.5


def test_pictures_of_different_shapes_are_refused(tmp_path):
    with pytest.raises(UserError, match="Expected as many adversarial images as images"):
        fragile_grid(np.zeros((1, 4, 4, 1)), np.zeros((2, 4, 4, 1)), *TEXTS, tmp_path / "f.png")
