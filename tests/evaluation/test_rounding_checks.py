import numpy as np
import pytest

from tfinv.evaluation.rounding_checks import Rounding, rounding_keeps_success


@pytest.mark.parametrize(
    ("roundings", "passed"),
    [
        ({"fgsm": Rounding(80, 80, 100)}, True),
        ({"fgsm": Rounding(80, 79, 100)}, True),
        ({"fgsm": Rounding(80, 80, 100), "cw": Rounding(99, 58, 100)}, False),
        ({"fgsm": Rounding(0, 0, 100)}, None),
        ({}, None),
    ],
)
def test_at_most_a_point_may_be_lost(roundings, passed):
    check = rounding_keeps_success(roundings)
    assert check.passed is passed
    for name, r in roundings.items():
        assert f"{name}: {r.still_fooling} of {r.fooling} images" in check.evidence


def test_only_images_that_fool_before_and_after_are_counted():
    labels = np.array([0, 0, 1, 1])
    logits = {1.0: np.eye(2)[[1, 0, 0, 1]], 2.0: np.eye(2)[[1, 1, 1, 1]]}
    outcome = Rounding.of(lambda x: logits[float(x[0])], np.ones(4), np.full(4, 2.0), labels)
    assert outcome == Rounding(2, 1, 4)
    assert outcome + Rounding(1, 1, 5) == Rounding(3, 2, 9)
