"""Projected gradient inversion: its ball, its bounds and its published settings."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.comparison.attackers import all_attackers, select_attackers
from tfinv.experiments.robust_or_private import same_steps
from tfinv.experiments.settings.robust_or_private import INVERSIONS
from tfinv.inversion import Knowledge, Projected, invert

SHAPE = (2, 2, 1)
WEIGHTS = np.float32([3, -4, 0, 0])
GREY = Knowledge(average=np.full(SHAPE, 0.5))


def linear(scale=1.0):
    return Classifier.from_callable(
        lambda x: scale * tf.reshape(x, [-1, 4]) @ np.stack([-WEIGHTS, WEIGHTS], 1),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Along w / |w| = (.6, -.8, 0, 0): three steps of .1 would be .3.
        ({"eps": 1.0}, [0.68, 0.26, 0.5, 0.5]),
        ({"eps": 0.2}, [0.62, 0.34, 0.5, 0.5]),
        ({"eps": 0.2, "norm": "linf", "optimiser": "sign"}, [0.7, 0.3, 0.5, 0.5]),
        # The ball reaches beyond the bounds, where the pixel stays.
        ({"eps": 2.0, "rate": 1.0}, [1.0, 0.0, 0.5, 0.5]),
    ],
)
def test_it_stays_in_the_ball_around_its_start_and_in_the_bounds(settings, expected):
    result = invert(linear(), [1], Projected(steps=3, start="average", **{"rate": 0.1} | settings), knowledge=GREY)
    np.testing.assert_allclose(result.images.ravel(), expected, atol=1e-6)
    np.testing.assert_array_equal(result.starts.ravel(), [0.5] * 4)


def test_its_settings_are_the_published_ones_wherever_it_is_the_seeds_attack():
    published = {"steps": 60, "start": "gaussian", "eps": 30.0, "norm": "l2", "rate": 0.5, "loss": "cross_entropy"}
    projected, *_ = select_attackers(all_attackers(200, 200, 8, "w"), INVERSIONS)
    for method in (Projected(), same_steps(projected, True).equal):
        assert {name: getattr(method, name) for name in published} == published
    # An attacker without images of the classes has no Gaussian of them.
    assert same_steps(projected, False).equal.start != "gaussian"
    for labels in (True, False):
        assert [name for name, _ in same_steps(projected, labels).budgets] == ["equal"]
