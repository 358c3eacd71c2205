"""Signals: exact values, and no ties where float32 probabilities have them."""

import numpy as np
import pytest
from scipy import special, stats

from tfinv.membership import signals

LOGITS = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
LABELS = np.array([0, 1])


def test_values_by_hand():
    np.testing.assert_allclose(signals.margin(LOGITS, LABELS), [0.0, np.log(0.1 / 0.9)], atol=1e-15)
    np.testing.assert_allclose(signals.log_confidence(LOGITS, LABELS), np.log([0.5, 0.1]), rtol=1e-14)
    np.testing.assert_allclose(
        signals.entropy(LOGITS), [1.5 * np.log(2), -0.2 * np.log(0.1) - 0.8 * np.log(0.8)], rtol=1e-14
    )
    first = -0.5 * np.log(0.5) - 2 * 0.25 * np.log(0.75)
    second = -0.9 * np.log(0.1) - 0.1 * np.log(0.9) - 0.8 * np.log(0.2)
    np.testing.assert_allclose(signals.modified_entropy(LOGITS, LABELS), [first, second], rtol=1e-14)


def test_random_logits_agree_with_scipy():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (50, 7)), rng.integers(0, 7, 50)
    p = special.softmax(logits, axis=1)
    at_label = p[np.arange(50), labels]
    np.testing.assert_allclose(signals.margin(logits, labels), special.logit(at_label), rtol=1e-9)
    np.testing.assert_allclose(signals.entropy(logits), stats.entropy(p, axis=1), rtol=1e-12)
    rest = np.where(np.arange(7) == labels[:, None], (1 - p) * np.log(p), p * np.log1p(-p))
    np.testing.assert_allclose(signals.modified_entropy(logits, labels), -rest.sum(1), rtol=1e-10)


def test_logits_may_have_any_scale_and_offset():
    logits = np.float32([[1000.0, 970.0, -500.0]])
    # log(1 + e^-30) and its like, which 1 - p would lose.
    assert signals.margin(logits, [0]) == pytest.approx(30.0, rel=1e-15)
    assert signals.log_confidence(logits, [0]) == pytest.approx(-np.exp(-30.0), rel=1e-12)
    assert signals.entropy(logits) == pytest.approx(31 * np.exp(-30.0), rel=1e-12)
    assert signals.modified_entropy(logits, [0]) == pytest.approx(2 * np.exp(-60.0), rel=1e-9)
    wrong = signals.modified_entropy(logits, [2])
    assert wrong == pytest.approx(1500.0 + 30.0, rel=1e-12)
    assert np.isfinite([signals.margin(np.float32([[3e38, -3e38]]), [1])]).all()


def test_sure_predictions_are_ranked_where_their_float32_probability_is_one():
    margins = np.linspace(17, 60, 400)
    logits = np.stack([margins, np.zeros(400)], axis=1)
    single = np.float32(logits)
    probabilities = special.softmax(single, axis=1)
    assert np.mean(probabilities[:, 0] == 1.0) > 0.9  # the trap
    for values in (
        signals.margin(single, np.zeros(400, int)),
        signals.log_confidence(single, np.zeros(400, int)),
        -signals.entropy(single),
        -signals.modified_entropy(single, np.zeros(400, int)),
    ):
        assert values.dtype == np.float64
        assert (np.diff(values) > 0).all()


def test_odds_of_probabilities_take_the_sum_of_the_others():
    """log(p / (1 - p)) in float32 is infinite for all of these."""
    others = np.float32([1e-9, 1e-12, 1e-20, 1e-30])
    p = np.stack([np.ones(4, np.float32), others, others], axis=1)
    odds = signals.from_probabilities(p, np.zeros(4, int))
    np.testing.assert_allclose(odds, -np.log(2 * others.astype(np.float64)), rtol=1e-12)
    assert (np.diff(odds) > 0).all()


def test_odds_of_probabilities_are_the_margin_of_the_logits():
    logits = np.random.default_rng(1).normal(0, 4, (30, 5))
    labels = np.arange(30) % 5
    odds = signals.from_probabilities(special.softmax(logits, axis=1), labels)
    np.testing.assert_allclose(odds, signals.margin(logits, labels), rtol=1e-9)


def test_zeros_of_rounded_probabilities_stay_tied_and_finite():
    p = np.float32([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    odds = signals.from_probabilities(p, [0, 0, 0])
    assert np.isfinite(odds).all()
    assert odds[0] == odds[1] == -odds[2] == pytest.approx(149 * np.log(2))  # float32's smallest is 2^-149


def test_leading_axes():
    logits = np.random.default_rng(2).normal(size=(4, 6, 3, 5))
    labels = np.random.default_rng(3).integers(0, 5, 4)
    for signal in (signals.margin, signals.log_confidence, signals.modified_entropy):
        values = signal(logits, labels)
        assert values.shape == (4, 6, 3)
        np.testing.assert_array_equal(values[2, 3, 1], signal(logits[2, 3, 1], labels[2]))
    assert signals.entropy(logits).shape == (4, 6, 3)


def test_the_logits_are_not_changed():
    logits = np.array([[1.0, 2.0]])
    signals.margin(logits, [0])
    signals.modified_entropy(logits, [0])
    np.testing.assert_array_equal(logits, [[1.0, 2.0]])
