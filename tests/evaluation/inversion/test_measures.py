"""Intervals, accuracy rows, neighbours and reconstruction measures, against values worked out by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfinv.attacks import FGSM, Noise
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.evaluation.inversion import similarity
from tfinv.evaluation.inversion.neighbours import nearest_same_class
from tfinv.evaluation.inversion.reconstruction import TrainingSet, measure
from tfinv.evaluation.robustness import accuracy as robustness
from tfinv.evaluation.statistics import measurement
from tfinv.evaluation.statistics.intervals import mean_interval, rate_interval

SHAPE = (8, 8, 1)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 10, 0.0, 0.27753), (5, 10, 0.23659, 0.76341), (10, 10, 0.72247, 1.0), (81, 263, 0.25531, 0.36621)],
)
def test_wilson(successes, n, low, high):
    # The last line is from Newcombe 1998, table I.
    assert rate_interval(successes, n) == pytest.approx((low, high), abs=6e-5)


def test_student():
    # t(.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert mean_interval(np.array([1, 2, 3])) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert mean_interval(np.array([1.0])) is None


def linear(bounds=(0.0, 1.0)):
    low, high = bounds

    def fn(x):
        mean = tf.reduce_mean(x - low, [1, 2, 3]) / (high - low) - 0.5
        return tf.stack([-mean, mean], 1)

    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits", bounds=bounds)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_accuracy_curve(bounds):
    """Grey images at .1 to .9 and one with the wrong label; FGSM takes eps off each distance to .5."""
    levels = np.float32([0.1, 0.2, 0.3, 0.45, 0.55, 0.7, 0.8, 0.9])
    classifier = linear(bounds)
    x = classifier.from_unit(np.broadcast_to(levels[:, None, None, None], (8, *SHAPE)))
    y = (levels > 0.5).astype(int)
    y[0] = 1
    attacks = [("fgsm", FGSM(eps=99)), ("noise(draws=2)", Noise(draws=2))]
    rows = robustness.accuracy_curve(classifier, x, y, attacks, [0, 0.125, 0.25], experiment="e", seed=5)
    assert [(r["attack"], r["eps"]) for r in rows] == [
        ("none", 0),
        *((a, e) for a, _ in attacks for e in (0.125, 0.25)),
    ]
    assert [r["accuracy"] * 8 for r in rows[:3]] == [7, 5, 3]
    for r in rows:
        assert r["n"] == 8
        assert r["seed"] == 5
        assert r["experiment"] == "e"
        assert r["ci95"] == list(rate_interval(round(r["accuracy"] * 8), 8))
    assert rows[1]["max_distance"] == pytest.approx(0.125 * (bounds[1] - bounds[0]), rel=1e-6)
    assert rows[1]["mean_distance"] == pytest.approx(0.125 * (bounds[1] - bounds[0]), rel=1e-6)  # of those attacked
    assert rows[1]["zero_gradients"] == 0.0
    assert rows[1]["spec"] == f"fgsm(eps={0.125 * (bounds[1] - bounds[0])})"
    assert rows[1]["gradient_calls"] == 1.0
    assert "queries" not in rows[1]
    assert rows[3]["queries"] >= 1.0
    assert "zero_gradients" not in rows[3]  # noise takes none


def test_nearest_same_class():
    training = np.float32([[0, 0], [1, 0], [5, 5], [6, 5]])
    classes = np.array([0, 0, 1, 1])
    queries = np.float32([[0.9, 0], [0.9, 0], [6, 9], [0, 0]])
    nearest = nearest_same_class(queries, np.array([0, 1, 1, 7]), training, classes)
    np.testing.assert_array_equal(nearest.indices, [1, 2, 3, -1])
    np.testing.assert_allclose(nearest.distances, [0.1, math.hypot(4.1, 5), 4, np.nan], rtol=1e-5)
    images = nearest_same_class(
        queries.reshape(4, 1, 2, 1), np.array([0, 1, 1, 7]), training.reshape(4, 1, 2, 1), classes
    )
    np.testing.assert_array_equal(images.indices, nearest.indices)


def evaluator():
    """Logits are the first six pixels of the first row, features the first two."""
    return Classifier.from_callable(
        lambda x: x[:, 0, :6, 0] / 255.0,
        input_shape=SHAPE,
        num_classes=6,
        outputs="logits",
        bounds=(0.0, 255.0),
        features=lambda x: x[:, 0, :2, 0],
    )


def image(*first_row, level=0.25):
    x = np.full(SHAPE, level, np.float32)
    x[0, : len(first_row), 0] = first_row
    return x


def training_set():
    images = np.stack([image(1, 0), image(0.6, 0.8), image(0, 1), image(0, 1, level=0.5)])
    return TrainingSet.make(images, np.array([0, 0, 1, 1]), {"probe": evaluator()})


def test_training_set():
    training = training_set()
    np.testing.assert_allclose(training.features["probe"], [[1, 0], [0.6, 0.8], [0, 1], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(training.class_means[0], (training.images[0] + training.images[1]) / 2, atol=1e-7)
    gap = TrainingSet.make(training.images, np.array([0, 0, 2, 2]), {})
    assert np.isnan(gap.class_means[1]).all()
    assert np.isfinite(gap.class_means[[0, 2]]).all()


def test_measure():
    training = training_set()
    # Six logits each; row 0 is the first training image, row 1 ranks its class last, row 2 is in the middle.
    shown = np.stack([training.images[0], image(0, 0.9, 0.8, 0.7, 0.6, 0.5), image(0.5, 0.4, level=0.35)])
    labels = np.array([0, 0, 1])
    keys = {"experiment": "e", "method": "miface", "budget": "equal", "seed": 3}
    rows = measure(shown, labels, training, {"confidence": np.array([0.5, 1.0, 0.75])}, **keys).rows()
    by_measure = {r["measure"]: r for r in rows}
    assert len(by_measure) == len(rows)
    for r in rows:
        assert r["kind"] == "inversion"
        assert keys.items() <= r.items()
        assert r.get("better") == measurement.BETTER.get(r["measure"])
    assert by_measure["acc@1"]["value"] == pytest.approx(1 / 3)
    assert by_measure["acc@1"]["ci95"] == list(rate_interval(1, 3))
    assert by_measure["acc@1"]["evaluator"] == "probe"
    assert by_measure["acc@5"]["value"] == pytest.approx(2 / 3)

    # Features of length 1: row 0 is (1, 0), row 1 (0, 1), whose nearest of class 0 is (.6, .8), and row 2 (.5, .4) / |.|.
    third = np.array([0.5, 0.4]) / math.hypot(0.5, 0.4)
    distances = [0, math.hypot(0.6, 0.2), math.hypot(third[0], third[1] - 1)]
    assert by_measure["feature_distance"]["value"] == pytest.approx(np.mean(distances), rel=1e-4)

    pixel = [np.sqrt(np.mean((s - t) ** 2)) for s, t in zip(shown, training.images[[0, 1, 2]], strict=True)]
    assert by_measure["pixel_distance"]["value"] == pytest.approx(np.mean(pixel), rel=1e-4)
    assert by_measure["pixel_distance"]["ci95"] == pytest.approx(mean_interval(np.array(pixel)), rel=1e-4)
    assert "evaluator" not in by_measure["pixel_distance"]
    assert by_measure["confidence"]["value"] == 0.75
    # One class has two reconstructions: one distance, and no interval of one value.
    assert by_measure["diversity"]["value"] == pytest.approx(np.sqrt(np.mean((shown[0] - shown[1]) ** 2)), rel=1e-5)
    assert by_measure["diversity"]["n"] == 1
    assert by_measure["diversity"]["ci95"] is None


def test_measure_of_the_training_images_themselves():
    training = training_set()
    rows = measure(training.images, training.labels, training, experiment="e", method="m", budget="b", seed=0).rows()
    by_measure = {r["measure"]: r["value"] for r in rows}
    assert by_measure["pixel_distance"] == pytest.approx(0, abs=1e-6)
    assert by_measure["feature_distance"] == pytest.approx(0, abs=1e-6)
    assert by_measure["ssim_to_nearest"] == pytest.approx(1)
    assert by_measure["ssim_to_class_mean"] < 1


def test_measure_refuses_classes_without_training_images():
    training = training_set()
    with pytest.raises(UserError, match=r"labels \[2, 5\]"):
        measure(training.images, np.array([0, 5, 2, 2]), training)


def test_ssim():
    x = np.random.default_rng(0).uniform(size=(2, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(similarity.ssim(x, x), [1, 1])
    # Constants a and b: (2ab + c1) / (a^2 + b^2 + c1), c1 = 1e-4.
    a, b = np.full((1, *SHAPE), 0.2, np.float32), np.full((1, *SHAPE), 0.6, np.float32)
    np.testing.assert_allclose(similarity.ssim(a, b), [(0.24 + 1e-4) / (0.4 + 1e-4)], rtol=1e-4)
    colour = np.repeat(x, 3, axis=-1)
    np.testing.assert_allclose(similarity.ssim(colour, colour), [1, 1])


@pytest.mark.parametrize(("side", "window"), [(3, 3), (4, 3), (6, 5), (9, 7)])
def test_the_window_of_ssim_fits_into_small_images(side, window):
    a, b = np.random.default_rng(0).uniform(size=(2, side, side))
    values = []
    for i, j in np.ndindex(side - window + 1, side - window + 1):
        p, q = a[i : i + window, j : j + window].ravel(), b[i : i + window, j : j + window].ravel()
        (vp, cov), (_, vq) = np.cov(p, q)
        c1, c2 = 1e-4, 9e-4
        luminance = (2 * p.mean() * q.mean() + c1) / (p.mean() ** 2 + q.mean() ** 2 + c1)
        values.append(luminance * (2 * cov + c2) / (vp + vq + c2))
    np.testing.assert_allclose(similarity.ssim(a[None, ..., None], b[None, ..., None]), [np.mean(values)], rtol=1e-6)
    with pytest.raises(UserError, match="at least 3 x 3"):
        similarity.ssim(a[None, :2, :, None], b[None, :2, :, None])
