"""Members and non-members of a comparison, and what a model's confidence tells of them."""

import keras
import numpy as np

from stripes import stripes
from tfinv.classifier import Classifier
from tfinv.comparison.membership.shadowless import Sides
from tfinv.evaluation.membership import roc
from tfinv.membership.signals import margin

TRAIN, TEST = stripes(60), stripes(30, seed=1)


def test_sides_are_equally_large_and_always_the_same():
    sides, again = (Sides.draw(TRAIN, TEST, most) for most in (40, 40))
    assert (len(sides.members), len(sides.nonmembers)) == (30, 30)
    np.testing.assert_array_equal(sides.members.pixels, again.members.pixels)
    assert len(Sides.draw(TRAIN, TEST, 25).members) == 25
    assert {check.name for check in sides.checks()} == {"members-and-nonmembers-alike", "members-disjoint"}


def test_the_area_is_that_of_the_margins():
    model = keras.Sequential(
        [keras.Input(TRAIN.image_shape), keras.layers.Flatten(), keras.layers.Dense(TRAIN.num_classes)]
    )
    classifier, sides = Classifier.from_keras(model), Sides.draw(TRAIN, TEST, 30)
    rows = sides.rows(classifier, "none", seed=4)
    (area,) = [row for row in rows if row["measure"] == "auc"]
    margins = [margin(classifier.predict(side.images), side.labels) for side in (sides.members, sides.nonmembers)]
    assert area["value"] == roc.auc(*margins)
    assert (area["experiment"], area["attack"], area["target"], area["seed"]) == ("none", "confidence", "model", 4)
