"""Starts of reconstructions, the selection among candidates, and the selection among several reconstructions."""

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


def reconstruct(victim, start, knowledge=None, labels=(0, 1, 2), samples=1, **settings):
    method = Gradient(steps=1, start=start, **settings)
    return invert(victim, labels, method, samples=samples, knowledge=knowledge)


def test_gaussian_starts_have_the_mean_and_covariance_of_their_class(victim):
    knowledge = classes()
    starts = reconstruct(victim, "gaussian", knowledge, labels=(1,), samples=4000).starts.reshape(4000, -1)
    images = knowledge.images[knowledge.labels == 1].reshape(-1, 20)
    np.testing.assert_allclose(starts.mean(0), images.mean(0), atol=0.005)
    covariance = np.cov(images, rowvar=False)
    np.testing.assert_allclose(np.cov(starts, rowvar=False), covariance, atol=0.15 * np.abs(covariance).max())


def test_gaussian_starts_need_two_images_of_the_class(victim):
    knowledge = classes()
    rows = np.flatnonzero((knowledge.labels != 2) | (np.arange(30) == 2))
    with pytest.raises(UserError, match="at least 2 auxiliary images of class 2"):
        reconstruct(victim, "gaussian", Knowledge(knowledge.images[rows], knowledge.labels[rows]))


def test_auxiliary_starts_are_the_images_themselves_of_whatever_class(victim):
    knowledge = classes(12)
    starts = reconstruct(victim, "auxiliary", knowledge, labels=(1,), samples=200).starts
    same = (starts[:, None] == knowledge.images[None]).all(axis=(2, 3, 4))
    np.testing.assert_array_equal(same.sum(1), 1)
    assert same.any(0).all()


@pytest.mark.parametrize("start", ["noise", "gaussian", "auxiliary"])
def test_starts_from_the_candidate_of_the_highest_confidence(victim, start):
    knowledge = classes()
    groups = reconstruct(victim, start, knowledge, samples=10).starts.reshape(6, 5, *SHAPE)
    result = reconstruct(victim, start, knowledge, samples=2, candidates=5)
    labels = np.repeat(np.arange(CLASSES), 2)
    for label, candidates, image in zip(labels, groups, result.starts, strict=True):
        confidence = probability(victim, candidates, label)
        np.testing.assert_array_equal(image, candidates[confidence.argmax()])
    np.testing.assert_array_equal(result.labels, labels)


def test_best_of_returns_the_one_of_the_highest_mean_confidence_over_views(victim):
    settings = {"steps": 4, "rate": 0.3, "start": "noise"}
    everything = invert(victim, [0, 2], Gradient(**settings), samples=8, seed=3)
    selection = invert(victim, [0, 2], Gradient(**settings, best_of=4), samples=2, seed=3)
    groups = everything.images.reshape(4, 4, *SHAPE)
    np.testing.assert_array_equal(selection.labels, [0, 0, 2, 2])
    crops = views.crops(everything.images, 10, 3)
    confidence = np.mean([probability(victim, crop, everything.labels) for crop in crops], axis=0)
    best = confidence.reshape(4, 4).argmax(1)
    np.testing.assert_allclose(selection.images, groups[np.arange(4), best], atol=1e-6)
    for name in ("starts", "confidence", "cost", "steps"):
        array = getattr(everything, name)
        parts = array.reshape(4, 4, *array.shape[1:])
        np.testing.assert_allclose(
            getattr(selection, name), parts[np.arange(4), best], rtol=1e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("name", ["miface", "gradient", "projected", "multiscale", "laplacian"])
def test_the_batch_size_changes_nothing(victim, name):
    method = METHODS[name](steps=6, start="noise")
    whole, parts = (invert(victim, range(CLASSES), method, samples=3, batch_size=size) for size in (512, 4))
    np.testing.assert_allclose(parts.images, whole.images, atol=1e-5)
    np.testing.assert_allclose(parts.starts, whole.starts, atol=1e-6)
    np.testing.assert_array_equal(parts.steps, whole.steps)


def probability(victim, images, label):
    logits = victim.predict(np.clip(images, 0, 1)).astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    return odds[np.arange(len(images)), np.broadcast_to(label, len(images))]
