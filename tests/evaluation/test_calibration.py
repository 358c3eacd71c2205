"""Calibration: exact values by hand, and how often the intervals cover."""

import numpy as np
import pytest
from scipy import special

from tfinv.errors import UserError
from tfinv.evaluation.calibration import (
    MEASURES,
    calibration_rows,
    expected_calibration_error,
    overconfidence,
    reliability_rows,
)


def rows_of(logits, labels):
    rows = calibration_rows(np.asarray(logits), np.asarray(labels), experiment="a", seed=3)
    return {r["measure"]: r for r in rows if r["kind"] == "calibration"}, [
        r for r in rows if r["kind"] == "reliability"
    ]


def test_by_hand():
    """Four images of confidence .75, of which two are right: Brier 2 (1/4)^2 and 2 (3/4)^2, NLL of 3/4 and of 1/4."""
    measures, bins = rows_of([[0, np.log(3)]] * 4, [1, 1, 0, 0])
    assert tuple(measures) == MEASURES
    assert measures["brier"]["value"] == pytest.approx((2 / 16 + 18 / 16) / 2, abs=1e-15)
    assert measures["nll"]["value"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2, abs=1e-15)
    assert measures["overconfidence"]["value"] == pytest.approx(0.25, abs=1e-15)
    assert all((r["n"], r["seed"], r["experiment"]) == (4, 3, "a") for r in measures.values())
    [row] = bins
    assert (row["low"], row["high"]) == (pytest.approx(11 / 15), pytest.approx(12 / 15))
    assert (row["confidence"], row["accuracy"], row["n"]) == (pytest.approx(0.75), 0.5, 4)
    assert row["ci95"][0] < 0.5 < row["ci95"][1]


def test_many_images_have_the_error_itself():
    """Half of the images are .1 too sure, half .2 not sure enough: the ECE is .15, and signs must not cancel."""
    confidence = np.repeat([0.9, 0.6], 50_000)
    correct = np.concatenate([np.arange(50_000) < 40_000, np.arange(50_000) < 40_000])
    value, (low, high) = expected_calibration_error(confidence, correct)
    assert value == pytest.approx(0.15, abs=1e-4)
    assert 0.145 < low < value < high < 0.155
    assert overconfidence(confidence, correct)[0] == pytest.approx(-0.05)


def test_float64_tells_apart_what_float32_rounds_to_one():
    measures, _ = rows_of(np.array([[0, 40.0]] * 3, np.float32), [1, 1, 1])
    assert measures["nll"]["value"] == pytest.approx(np.exp(-40.0), rel=1e-9)
    measures, _ = rows_of([[0, 2000.0]], [0])
    assert measures["nll"]["value"] == 2000
    assert measures["nll"]["ci95"] is None  # of one image


def test_the_order_of_the_images_does_not_matter():
    rng = np.random.default_rng(0)
    confidence, correct = rng.integers(5, 11, 333) / 10, rng.random(333) < 0.7
    order = rng.permutation(333)
    value, interval = expected_calibration_error(confidence, correct)
    again, interval_again = expected_calibration_error(confidence[order], correct[order])
    assert (value, *interval) == pytest.approx((again, *interval_again))


def test_bins_are_closed_above_and_hold_all():
    rows = reliability_rows(np.array([1.0, 14 / 15, 0.0, 0.5]), np.array([True, False, True, True]), "a")
    assert [round(15 * r["high"]) for r in rows] == [1, 8, 14, 15]
    assert sum(r["n"] for r in rows) == 4


def bent(confidence, kind):
    """The probability of being right, by confidence."""
    return {
        "calibrated": confidence,
        "overconfident": 0.5 + 0.6 * (confidence - 0.5),
        "slightly": confidence - 0.03,
        "both signs": confidence + 0.08 * np.where(confidence > 0.75, -1, 1),
        "always right": np.ones_like(confidence),
    }[kind]


@pytest.mark.parametrize("n", [60, 500])
@pytest.mark.parametrize("shape", ["even", "near one"])
@pytest.mark.parametrize("kind", ["calibrated", "overconfident", "slightly", "both signs", "always right"])
def test_intervals_cover(kind, shape, n):
    """The error of the whole population is in 95 % of the intervals: at 92 % and more of 250 we do not doubt it."""
    rng = np.random.default_rng(1)
    trials, hit, hit_over = 250, 0, 0
    population = 0.5 + 0.5 * (rng.random(20_000) if shape == "even" else rng.beta(6, 0.7, 20_000))
    truth = np.abs(bent(population, kind) - population).mean()
    over = (population - bent(population, kind)).mean()
    for _ in range(trials):
        confidence = rng.choice(population, n)
        correct = rng.random(n) < bent(confidence, kind)
        value, (low, high) = expected_calibration_error(confidence, correct)
        assert low <= value <= high
        hit += low <= truth <= high
        low, high = overconfidence(confidence, correct)[1]
        hit_over += low <= over <= high
    assert hit >= 0.92 * trials
    assert hit_over >= 0.92 * trials


def test_intervals_know_that_confidences_are_a_sample():
    """Of a model that is always right the accuracy of each bin is nearly certain, and the mean confidence is not."""
    rng, hit = np.random.default_rng(3), 0
    for _ in range(200):
        low, high = expected_calibration_error(rng.uniform(0.5, 1, 3000), np.ones(3000, bool))[1]
        hit += low <= 0.25 <= high
    assert hit >= 0.92 * 200


def test_less_noise_is_left_than_in_the_naive_estimate():
    """Of a calibrated model of 300 images the naive ECE is about .05."""
    rng = np.random.default_rng(2)
    naive, debiased = [], []
    for _ in range(200):
        confidence = np.sort(rng.uniform(0.5, 1, 300))
        correct = rng.random(300) < confidence
        gaps = np.abs((confidence - correct).reshape(15, 20).mean(1))
        naive.append(gaps.mean())
        debiased.append(expected_calibration_error(confidence, correct)[0])
    assert np.mean(naive) > 0.06
    assert np.mean(debiased) < 0.6 * np.mean(naive)


def test_a_binary_model_is_like_one_of_two_classes():
    z = np.random.default_rng(0).normal(size=50)
    labels = (z > 0.3).astype(int)
    binary, _ = rows_of(np.stack([np.zeros(50), z], 1), labels)
    shifted, _ = rows_of(np.stack([5 - z / 2, 5 + z / 2], 1), labels)
    for measure in MEASURES:
        assert binary[measure]["value"] == pytest.approx(shifted[measure]["value"], abs=1e-12)
    p = special.expit(z)
    assert binary["brier"]["value"] == pytest.approx(np.mean(2 * (p - labels) ** 2))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 2)), np.zeros(0, int)),
        (np.zeros((3, 1)), np.zeros(3, int)),
        (np.zeros(3), np.zeros(3, int)),
        (np.full((3, 2), np.nan), np.zeros(3, int)),
        (np.zeros((3, 2)), np.zeros(2, int)),
        (np.zeros((3, 2)), np.full(3, 2)),
        (np.zeros((3, 2)), np.full(3, -1)),
        (np.zeros((3, 2)), np.zeros(3)),
    ],
)
def test_what_does_not_fit_is_refused(logits, labels):
    with pytest.raises(UserError, match="Expected"):
        calibration_rows(logits, labels, experiment="a")


def test_intervals_stay_within_what_can_be_measured():
    logits = np.log([[0.9, 0.1], [0.9, 0.1]])
    rows = calibration_rows(logits, np.array([0, 1]), experiment="m")
    intervals = {row["measure"]: row["ci95"] for row in rows if row["kind"] == "calibration"}
    assert intervals["overconfidence"][0] == -1
    assert intervals["brier"][0] == 0
    assert intervals["brier"][1] <= 2
    assert intervals["nll"][0] == 0
    same = calibration_rows(logits, np.array([0, 0]), experiment="m")
    assert next(row["ci95"] for row in same if row.get("measure") == "brier") is None
