"""Results of every attack on every kind of model: exact budgets and success, the same for every batch size."""

import numpy as np
import pytest
import tensorflow as tf

from attack_contract import (
    ALL,
    CLASSES,
    COUNT,
    DRAWLESS,
    EACH,
    KINDS,
    ON_BATCHED,
    ON_KINDS,
    SETTINGS,
    SHAPE,
    WRONG,
    attack_class,
    attack_result,
    follows_gradients,
    make,
    start_images,
    victim,
)
from tfinv import attacks
from tfinv.classifier import Classifier
from tfinv.errors import UserError


def test_every_attack_is_tried():
    assert set(SETTINGS) == set(attacks.ATTACKS)


@ON_KINDS
def test_budget_bounds_and_success_are_exact_and_what_is_wrong_costs_nothing(name, norm, kind):
    classifier, model, x, y = victim(kind)
    before = [v.numpy().copy() for v in model.variables]
    result = attack_result(name, norm, kind)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    eps = make(name, classifier, 0.07, norm).eps
    low, high = classifier.bounds
    assert result.images.dtype == np.float32
    assert result.images.shape == x.shape
    moved = np.abs(result.images.astype(np.float64) - x.astype(np.float64)).reshape(COUNT, -1)
    sizes = {"linf": moved.max(1), "l2": np.sqrt(np.square(moved).sum(1)), "l1": moved.sum(1)}[norm]
    assert (sizes <= eps).all()
    np.testing.assert_array_equal(result.distances, sizes)
    if not attack_class(name).MINIMAL:
        assert sizes.max() > 0.5 * eps
    else:
        assert (sizes[~result.success] == 0).all()
    assert result.images.min() >= low
    assert result.images.max() <= high
    np.testing.assert_array_equal(result.success, classifier.predict(result.images).argmax(1) != y)
    np.testing.assert_array_equal(result.images[WRONG], x[WRONG])
    assert result.success[WRONG].all()
    assert not result.gradient_calls[WRONG].any()
    assert not result.zero_gradients[WRONG].any()
    right = np.setdiff1d(np.arange(COUNT), WRONG)
    assert not result.queries[WRONG].any()
    if attack_class(name).NEEDS == "gradients":
        assert (result.gradient_calls[right] > 0).all()
    else:
        assert (result.queries[right] > 0).all()
        assert not result.gradient_calls.any()
    if not attack_class(name).MINIMAL:
        assert (result.distances[right] > 0).all()


@ON_BATCHED
def test_the_seed_gives_the_images_whatever_the_batch_size(name, norm, kind):
    classifier, _, x, y = victim(kind)
    whole = attack_result(name, norm, kind)
    attack = make(name, classifier, 0.07, norm)
    # Nor do others in the data set change an image's draws.
    for batch_size, n in ((1, 4), (5, COUNT)) if norm == attack_class(name).NORMS[0] else ((5, COUNT),):
        part = attack(classifier, x[:n], y[:n], seed=1, batch_size=batch_size)
        np.testing.assert_allclose(part.images, whole.images[:n], atol=1e-5 * np.ptp(KINDS[kind]))
        np.testing.assert_array_equal(part.success, whole.success[:n])
        np.testing.assert_array_equal(part.gradient_calls, whole.gradient_calls[:n])


@ALL
def test_the_seed_counts_for_those_that_draw(name):
    norm = attack_class(name).NORMS[0]
    first, second = attack_result(name, norm, "logits"), attack_result(name, norm, "logits", seed=2)
    assert np.array_equal(first.images, second.images) == (name in DRAWLESS)


@EACH
def test_targeted_moves_towards_the_target(name, norm):
    classifier, _, x, y = victim("batch norm")
    if not attack_class(name).TARGETED:
        with pytest.raises(UserError, match="targeted=False"):
            make(name, classifier, 0.1, norm, targeted=True)
        return
    right = np.setdiff1d(np.arange(COUNT), WRONG)
    x, y = x[right], y[right]
    targets = (y + 1) % CLASSES
    attack = make(name, classifier, 0.1, norm, targeted=True)
    result = attack(classifier, x, y, targets=targets, seed=1, **start_images(name, classifier, targets))

    def margin(images):
        logits = classifier.predict(images)
        target_logits = logits[np.arange(len(y)), targets]
        logits[np.arange(len(y)), targets] = -np.inf
        return target_logits - logits.max(1)

    gain = margin(result.images) - margin(x)
    np.testing.assert_array_equal(result.success, classifier.predict(result.images).argmax(1) == targets)
    assert gain.mean() > 0
    if attack_class(name).MINIMAL:
        assert (gain[result.success] > 0).all()
    elif follows_gradients(name) and name not in ("rfgsm", "nfgsm", "difgsm"):  # in so few steps chance may win
        assert (gain > 0).all()
    assert (result.distances <= attack.eps).all()


@pytest.mark.parametrize("label", [0, 1])
def test_logits_that_are_not_numbers_are_judged_by_the_prediction(label):
    """Bright images have a logit that is NaN, which NumPy takes for class 0."""

    def fn(x):
        z = tf.reduce_mean(x, [1, 2, 3])
        return tf.stack([tf.where(z > 0.9, np.nan, z), 1 - z], 1)

    classifier = Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits")
    x = np.full((1, *SHAPE), 0.95, np.float32)
    result = attacks.PGD(eps=0.01, steps=2)(classifier, x, np.array([label]))
    assert result.success[0] == (classifier.predict(result.images).argmax(1)[0] != label) == (label == 1)
    assert (result.gradient_calls[0] > 0) == (label == 0)
