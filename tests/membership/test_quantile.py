"""Quantile regression: it takes out what the example itself says of its margin."""

import functools

import numpy as np
import pytest

from planted_members import auc
from tfinv.errors import UserError
from tfinv.membership import Evidence
from tfinv.membership.quantile import Quantile, _features
from tfinv.membership.thresholds import Confidence

LEAP = 1.5  # of a member's margin
ATTACK = Quantile(trees=40)


@functools.cache
def examples(n=500, leap=LEAP, seed=0):
    """Evidence on examples whose margin rises with their brightness, and by `leap` for members; and who they are."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0, 1, n)
    images = np.clip(brightness[:, None, None, None] + rng.normal(0, 0.02, (n, 6, 6, 1)), 0, 1)
    members = rng.permutation(n) < n // 2
    margins = 20 * brightness + rng.normal(0, 1, n) + leap * members
    logits = np.stack([margins, np.zeros(n)], axis=1)
    return Evidence(np.zeros(n, int), logits, images=images), members


@functools.cache
def population(n=500):
    return examples(n, leap=0.0, seed=1)[0]


def with_population(evidence):
    return Evidence(evidence.labels, evidence.logits, images=evidence.images, population=population())


def test_it_takes_out_the_difficulty_of_the_example():
    evidence, members = examples()
    threshold = auc(Confidence().score(evidence), members)
    regressed = auc(ATTACK.score(with_population(evidence)), members)
    # The best possible is Phi(1.5 / sqrt 2) = .86; one threshold reaches Phi-like .57.
    assert threshold < 0.62
    assert 0.78 < regressed < 0.9


def test_scores_of_nonmembers_are_standard():
    scores = ATTACK.score(with_population(examples(leap=0.0, seed=2)[0]))
    assert abs(np.median(scores)) < 0.2
    assert 0.8 < scores.std() < 1.6


def test_folds_stand_in_for_a_population():
    evidence, members = examples()
    assert auc(ATTACK.score(evidence), members) > 0.75


def test_without_members_there_is_nothing_to_see():
    evidence, members = examples(leap=0.0)
    assert abs(auc(ATTACK.score(with_population(evidence)), members) - 0.5) < 0.08


def test_features_are_means_of_cells():
    images = np.zeros((1, 16, 16, 2), np.float32)
    images[0, :2, :2, 1] = 1.0
    label, brightness, contrast, *cells = _features(Evidence([3], images=images))[0]
    assert (label, brightness) == (3, 4 / 512)
    assert contrast == pytest.approx(np.sqrt(4 / 512 - (4 / 512) ** 2))
    np.testing.assert_allclose(np.reshape(cells, (8, 8, 2))[0, 0], [0, 1])
    assert np.sum(cells) == 1


@pytest.mark.parametrize("size", [1, 3, 8, 11])
def test_images_of_any_size_have_features(size):
    images = np.random.default_rng(0).uniform(size=(5, size, size, 1))
    cells = _features(Evidence(np.zeros(5, int), images=images))[:, 3:]
    assert cells.shape == (5, min(size, 8) ** 2)
    assert ((cells > 0) & (cells < 1)).all()


def test_bad_input():
    evidence = examples()[0]
    with pytest.raises(UserError, match="at least 20 examples"):
        Quantile().score(evidence.take(np.arange(19)))
    with pytest.raises(UserError, match="at least 60 examples"):
        Quantile(folds=30).score(evidence.take(np.arange(59)))
    with pytest.raises(UserError, match="images and logits"):
        Quantile().score(Evidence(evidence.labels, evidence.logits))
    others = Evidence(np.zeros(30, int), np.ones((30, 2)), images=np.zeros((30, 5, 6, 1)))
    with pytest.raises(UserError, match="population of images"):
        Quantile().score(Evidence(evidence.labels, evidence.logits, images=evidence.images, population=others))
    for arguments in ({"trees": 0}, {"folds": 1}):
        with pytest.raises(UserError, match="Expected"):
            Quantile(**arguments)
