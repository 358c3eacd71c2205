"""Effect of the budget, of more steps and of the scale of the logits on every attack, and its number of traces."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from attack_contract import (
    ALL,
    CASES,
    EACH,
    EFFORT,
    SETTINGS,
    SHAPE,
    WRONG,
    attack_class,
    follows_gradients,
    make,
    victim,
)
from tfinv.classifier import Classifier


@functools.cache
def plane():
    """Returns a classifier with logits (0, w x - c), and a list that grows with every trace."""
    w, traces = np.random.default_rng(0).normal(size=36).astype(np.float32), []

    def fn(x):
        traces.append(1)
        return tf.reshape(x - 0.5, [-1, 36]) @ np.stack([0 * w, w], 1) - [0.0, 2.0]

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits"), traces


@EACH
def test_success_rises_with_eps(name, norm):
    """An attack that keeps its direction gets no weaker as eps grows."""
    classifier, _ = plane()
    x = np.random.default_rng(1).uniform(0.4, 0.6, (40, *SHAPE)).astype(np.float32)
    y = np.zeros(40, int)
    shares = [0.0, 0.03, 0.1, 0.5]
    rates = [make(name, classifier, s, norm)(classifier, x, y, seed=0).success.mean() for s in shares]
    assert rates == sorted(rates)
    assert rates[0] == 0.0
    assert rates[-1] > (0.5 if follows_gradients(name) else 0.0)


@EACH
def test_an_infinite_budget_is_all_of_the_bounds(name, norm):
    classifier, _, x, y = victim("softmax")
    result = make(name, classifier, math.inf, norm)(classifier, x, y, seed=1)
    assert np.isfinite(result.images).all()
    assert result.images.min() >= 0
    assert result.images.max() <= 255
    if name == "pgd" or attack_class(name).MINIMAL:
        assert result.success.all()
    if not attack_class(name).MINIMAL:
        assert result.distances.max() > 0.3 * 255


@EACH
def test_no_budget_changes_nothing(name, norm):
    classifier, _, x, y = victim("softmax")
    result = make(name, classifier, 0.0, norm)(classifier, x, y)
    np.testing.assert_array_equal(result.images, x)
    np.testing.assert_array_equal(np.flatnonzero(result.success), WRONG)


@ALL
def test_any_real_number_is_an_eps(name):
    classifier, _, x, y = victim("softmax")
    for eps in (8, np.float32(8)):
        assert make(name, classifier, 0, eps=eps)(classifier, x, y).distances.max() <= 8


@EACH
def test_an_eps_sweep_traces_once(name, norm):
    classifier, traces = plane()
    x = np.random.default_rng(1).uniform(size=(11, *SHAPE)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    make(name, classifier, 0.01, norm)(classifier, x, y, batch_size=4)
    before = len(traces)
    for share in (0.02, 1.0):
        make(name, classifier, share, norm)(classifier, x, y, seed=3, batch_size=4)
    make(name, classifier, 0.02, norm)(classifier, x[:7], y[:7], batch_size=7)
    assert len(traces) == before


@functools.cache
def scaled(scale):
    """Returns a small net whose logits are multiplied by `scale`."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(inputs))
    last = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1))
    model = keras.Model(inputs, last(x))
    last.kernel.assign(scale * last.kernel)
    return Classifier.from_keras(model)


@EACH
def test_the_scale_of_the_logits_changes_nothing(name, norm):
    x = np.random.default_rng(0).uniform(size=(200, *SHAPE)).astype(np.float32)
    y = scaled(1.0).predict(x).argmax(1)
    robust = []
    for scale in (1.0, 100.0):
        classifier = scaled(scale)
        robust.append(1 - make(name, classifier, 0.12, norm)(classifier, x, y, seed=0).success.mean())
    assert max(robust) - min(robust) < 0.01
    if follows_gradients(name):
        assert robust[0] < 0.98  # so there was something to lose


@pytest.mark.parametrize(("name", "norm"), [case for case in CASES if EFFORT & SETTINGS[case[0]].keys()])
def test_more_steps_are_no_weaker(name, norm):
    fields = EFFORT & SETTINGS[name].keys()
    classifier = scaled(1.0)
    x = np.random.default_rng(2).uniform(size=(150, *SHAPE)).astype(np.float32)
    y = classifier.predict(x).argmax(1)
    short, long = (
        make(name, classifier, 0.1, norm, **{k: factor * SETTINGS[name][k] for k in fields})(
            classifier, x, y
        ).success.mean()
        for factor in (1, 4)
    )
    assert long >= short - 0.02
