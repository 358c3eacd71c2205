"""Agreement under augmentation: copies by hand, and the share of them that keep the label."""

import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.membership import Evidence, queries
from tfinv.membership.agreement import Agreement

IMAGE = np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3, 1)


def test_copies_by_hand():
    down = queries.shifted(IMAGE, 1, 0, 0.0)[0, :, :, 0]
    np.testing.assert_array_equal(down, [[0, 0, 0], [1, 2, 3]])
    left = queries.shifted(IMAGE, 0, -1, -9.0)[0, :, :, 0]
    np.testing.assert_array_equal(left, [[2, 3, -9], [5, 6, -9]])
    up_right = queries.shifted(IMAGE, -1, 1, 0.0)[0, :, :, 0]
    np.testing.assert_array_equal(up_right, [[0, 4, 5], [0, 0, 0]])


def test_offsets_are_those_of_one_distance():
    assert queries.offsets(1) == [(-1, 0), (0, -1), (0, 1), (1, 0)]
    for shift in (2, 3):
        offsets = queries.offsets(shift)
        assert len(set(offsets)) == len(offsets) == 4 * shift
        assert {abs(down) + abs(right) for down, right in offsets} == {shift}


def test_number_of_copies():
    assert len(list(queries.copies(IMAGE, 1, True, 0.0))) == 1 + 4 + 1
    mirrored = list(queries.copies(IMAGE, 0, True, 0.0))
    assert len(mirrored) == 2
    np.testing.assert_array_equal(mirrored[1][0, 0, :, 0], [3, 2, 1])


def target():
    """Predicts class 1 where the top left pixel is bright."""
    return Classifier.from_predict(
        lambda x: (x[:, 0, 0, 0] > 0.5).astype(int), input_shape=(4, 4, 1), num_classes=2, outputs="labels"
    )


def images():
    """A pixel that only the image itself shows at the top left; two by two pixels; all pixels; none."""
    x = np.zeros((4, 4, 4, 1), np.float32)
    x[0, 0, 0], x[1, :2, :2], x[2] = 1, 1, 1
    return x


def test_the_share_of_copies_that_keep_the_label():
    """Shifts down or right bring in darkness at the top left; those up or left show the next pixel there."""
    evidence = Evidence(np.ones(4, int), classifier=target(), images=images(), batch_size=3)
    np.testing.assert_allclose(Agreement().score(evidence), [1 / 5, 3 / 5, 3 / 5, 0])
    np.testing.assert_allclose(Agreement(shift=0, mirror=True).score(evidence), [1 / 2, 1 / 2, 1, 0])
    dark = Evidence(np.zeros(4, int), classifier=target(), images=images())
    np.testing.assert_allclose(Agreement().score(dark), [4 / 5, 2 / 5, 2 / 5, 1])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [({"shift": -1}, "shift as a whole"), ({"shift": 1.5}, "shift as a whole"), ({"shift": 0}, "mirror=True")],
)
def test_bad_arguments(arguments, complaint):
    with pytest.raises(UserError, match=complaint):
        Agreement(**arguments)


def test_a_shift_beyond_the_image():
    with pytest.raises(UserError, match="below the images' 4 pixels"):
        Agreement(shift=4).score(Evidence(np.ones(4, int), classifier=target(), images=images()))
