"""Distance to the boundary: that of a linear target is known in closed form."""

import numpy as np
import pytest
import tensorflow as tf

from linear_model import SHAPE, SIZE, WEIGHTS, linear
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.membership import Evidence, membership_attack
from tfinv.membership.boundary import BoundaryDistance

STEPS = np.array([0.0, 0.05, 0.1, 0.2])


def evidence(bounds=(0.0, 1.0), classifier=None, **fields):
    """Images at known distances from the boundary, in class 0; the last one is predicted as class 1."""
    low, high = bounds
    unit = WEIGHTS / np.linalg.norm(WEIGHTS)
    shares = np.append(-(0.05 + STEPS), 0.1)
    images = (low + high) / 2 + (high - low) * shares[:, None] * unit
    victim = classifier or linear(0.0, bounds)
    return Evidence(np.zeros(5, int), classifier=victim, images=images.reshape(-1, *SHAPE), **fields)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_the_distance_is_a_share_of_the_bounds(bounds):
    scores = BoundaryDistance().score(evidence(bounds))
    np.testing.assert_allclose(scores[:4], 0.05 + STEPS, rtol=1e-2)
    assert scores[4] == -1


def test_labels_are_enough():
    victim = Classifier.from_predict(
        lambda x: ((x.reshape(-1, SIZE) - 0.5) @ WEIGHTS > 0).astype(int),
        input_shape=SHAPE,
        num_classes=2,
        outputs="labels",
    )
    attack = BoundaryDistance("hopskipjump(queries=400)")
    scores = attack.score(evidence(classifier=victim))
    np.testing.assert_allclose(scores[:4], 0.05 + STEPS, rtol=0.1)
    assert scores[4] == -1
    assert BoundaryDistance().attack_on(victim).needs == "labels"
    with pytest.raises(UserError, match="gradients"):
        BoundaryDistance("fmn").score(evidence(classifier=victim))


def test_the_attack_follows_the_gradients_where_there_are_some():
    assert BoundaryDistance().attack_on(linear(0.0)).needs == "gradients"


def test_an_image_without_any_adversarial_one_is_farthest():
    def always_first(x):
        return tf.stack([1 + 0 * x[:, 0, 0, 0], 0 * x[:, 0, 0, 0]], axis=1)

    victim = Classifier.from_callable(always_first, input_shape=SHAPE, num_classes=2, outputs="logits")
    scores = BoundaryDistance("fmn(steps=4)").score(evidence(classifier=victim))
    np.testing.assert_allclose(scores, np.sqrt(SIZE), rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("pgd", "smallest perturbation"),
        ("fmn(eps=.1)", "without eps"),
        ("fmn(targeted=True)", "untargeted"),
        ("x", "one of"),
    ],
)
def test_other_attacks_are_refused(spec, complaint):
    with pytest.raises(UserError, match=complaint):
        BoundaryDistance(spec)


def test_text_form():
    attack = membership_attack("boundary(attack='hopskipjump(queries=200)')")
    assert attack == BoundaryDistance("hopskipjump(queries=200)")
