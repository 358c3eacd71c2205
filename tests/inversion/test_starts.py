"""Where reconstructions begin, which candidates they begin with, and which of several is kept."""

import keras
import numpy as np
import pytest

from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import METHODS, Gradient, Knowledge, invert, views

SHAPE, CLASSES = (5, 4, 1), 3


@pytest.fixture(scope="module")
def victim():
    keras.utils.set_random_seed(2)
    kernel = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(CLASSES, kernel_initializer=kernel)]
    return Classifier.from_keras(keras.Sequential(layers))


def classes(count=30, seed=0):
    """Images of three classes, each about a grey of its own, whose pixels are correlated."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    mixing = rng.normal(0, 0.01, (20, 20))
    images = 0.3 + 0.2 * labels[:, None] + rng.normal(size=(count, 20)) @ mixing
    return Knowledge(np.float32(images.reshape(-1, *SHAPE)), labels, source="drawn")


def starts(victim, start, knowledge=None, labels=(0, 1, 2), samples=1, **more):
    how = Gradient(steps=1, start=start, **more)
    return invert(victim, labels, how, samples=samples, knowledge=knowledge)


def test_gaussian_starts_have_the_mean_and_covariance_of_their_class(victim):
    known = classes()
    found = starts(victim, "gaussian", known, labels=(1,), samples=4000).starts.reshape(4000, -1)
    own = known.images[known.labels == 1].reshape(-1, 20)
    np.testing.assert_allclose(found.mean(0), own.mean(0), atol=0.005)
    covariance = np.cov(own, rowvar=False)
    np.testing.assert_allclose(np.cov(found, rowvar=False), covariance, atol=0.15 * np.abs(covariance).max())


def test_gaussian_starts_need_two_images_of_the_class(victim):
    known = classes()
    rows = np.flatnonzero((known.labels != 2) | (np.arange(30) == 2))
    with pytest.raises(UserError, match="at least 2 auxiliary images of class 2"):
        starts(victim, "gaussian", Knowledge(known.images[rows], known.labels[rows]))


def test_auxiliary_starts_are_the_images_themselves_of_whatever_class(victim):
    known = classes(12)
    found = starts(victim, "auxiliary", known, labels=(1,), samples=200).starts
    same = (found[:, None] == known.images[None]).all(axis=(2, 3, 4))
    np.testing.assert_array_equal(same.sum(1), 1)
    assert same.any(0).all()


@pytest.mark.parametrize("start", ["noise", "gaussian", "auxiliary"])
def test_of_the_candidates_it_begins_with_the_one_that_the_model_is_surest_of(victim, start):
    known = classes()
    all_of_them = starts(victim, start, known, samples=10).starts.reshape(CLASSES, 2, 5, *SHAPE)
    chosen = starts(victim, start, known, samples=2, candidates=5)
    labels = np.repeat(np.arange(CLASSES), 2)
    for label, candidates, found in zip(labels, all_of_them.reshape(6, 5, *SHAPE), chosen.starts, strict=True):
        sureness = probability(victim, candidates, label)
        np.testing.assert_array_equal(found, candidates[sureness.argmax()])
    np.testing.assert_array_equal(chosen.labels, labels)


def test_of_several_it_keeps_the_one_that_the_model_is_surest_of_over_views(victim):
    how = {"steps": 4, "rate": 0.3, "start": "noise"}
    each = invert(victim, [0, 2], Gradient(**how), samples=8, seed=3)
    kept = invert(victim, [0, 2], Gradient(**how, best_of=4), samples=2, seed=3)
    groups = each.images.reshape(4, 4, *SHAPE)
    np.testing.assert_array_equal(kept.labels, [0, 0, 2, 2])
    sure = np.mean([probability(victim, view, each.labels) for view in views.crops(each.images, 10, 3)], axis=0)
    best = sure.reshape(4, 4).argmax(1)
    np.testing.assert_allclose(kept.images, groups[np.arange(4), best], atol=1e-6)
    for name in ("starts", "confidence", "cost", "steps"):
        whole = getattr(each, name)
        parts = whole.reshape(4, 4, *whole.shape[1:])
        np.testing.assert_allclose(getattr(kept, name), parts[np.arange(4), best], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["miface", "gradient", "projected", "multiscale", "laplacian"])
def test_the_batch_size_changes_nothing(victim, name):
    how = METHODS[name](steps=6, start="noise")
    whole, parts = (invert(victim, range(CLASSES), how, samples=3, batch_size=size) for size in (512, 4))
    np.testing.assert_allclose(parts.images, whole.images, atol=1e-5)
    np.testing.assert_allclose(parts.starts, whole.starts, atol=1e-6)
    np.testing.assert_array_equal(parts.steps, whole.steps)


def probability(victim, images, label):
    logits = victim.predict(np.clip(images, 0, 1)).astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    return odds[np.arange(len(images)), np.broadcast_to(label, len(images))]
