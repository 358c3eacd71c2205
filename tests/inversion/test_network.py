"""The inversion network: its truncated confidences, those that stand for a class, and that it learns to invert a black box."""

import numpy as np
import pytest

from tfinv import datasets
from tfinv.classifier import Classifier
from tfinv.errors import UserError
from tfinv.inversion import Knowledge, Network, invert
from tfinv.inversion.network import logarithms, truncate
from tfinv.inversion.problem import Problem

SHAPE = (4, 4, 1)
# Class 2 is never the largest.
CONFIDENCES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.2, 0.6, 0.2]])


def black_box():
    """Gives one row of CONFIDENCES for each image, by its first pixel."""
    return Classifier.from_predict(
        lambda x: CONFIDENCES[np.minimum(3, (x[:, 0, 0, 0] * 4).astype(int))],
        input_shape=SHAPE,
        num_classes=3,
        outputs="probabilities",
    )


def knowledge():
    images = np.random.default_rng(0).uniform(size=(4, *SHAPE))
    images[:, 0, 0, 0] = [0, 0.25, 0.5, 0.75]
    return Knowledge(images, source="images")


def reconstruct(labels, samples=1, seed=0, **settings):
    """The confidences that an inversion feeds its network, and its result."""
    method, confidences = Network(steps=2, width=2, **settings), []

    class Watched(Network):
        def class_confidences(self, problem):
            confidences.append(super().class_confidences(problem))
            return confidences[-1]

    watched = Watched(**{f: getattr(method, f) for f in ("steps", "width", "feed", "keep", "digits")})
    result = invert(black_box(), labels, watched, samples=samples, knowledge=knowledge(), seed=seed)
    return confidences[0], result


def test_truncate_and_logarithms():
    p = np.array([[0.123, 0.6, 0.277]])
    np.testing.assert_array_equal(truncate(p), p)
    np.testing.assert_array_equal(truncate(p, keep=2), [[0, 0.6, 0.277]])
    np.testing.assert_allclose(truncate(p, digits=1), [[0.1, 0.6, 0.3]])
    np.testing.assert_allclose(truncate(p, keep=1, digits=0), [[0, 1, 0]])
    np.testing.assert_array_equal(truncate(np.array([[0.5, 0.5]]), keep=1), [[0.5, 0]])
    np.testing.assert_allclose(logarithms(np.array([1, 0.1, 1e-5, 1e-10, 0])), [1, 0.9, 0.5, 0, 0], atol=1e-6)


def test_confidences_that_stand_for_a_class():
    mean, result = reconstruct([0, 1])
    np.testing.assert_allclose(mean, [CONFIDENCES[[0, 2]].mean(0), CONFIDENCES[[1, 3]].mean(0)], rtol=1e-5)
    np.testing.assert_array_equal(result.queries, 4)
    assert np.isnan(result.cost).all()
    assert result.knowledge == "black box, confidences; 4 images"
    np.testing.assert_allclose(reconstruct([2])[0], CONFIDENCES[[2]], rtol=1e-5)  # the nearest thing to class 2
    np.testing.assert_array_equal(reconstruct([2, 0], feed="one_hot")[0], np.eye(3)[[2, 0]])


def test_samples_differ():
    rows, result = reconstruct([0, 1], samples=3, feed="samples")
    for samples, confidences in [(rows[:3], CONFIDENCES[[0, 2]]), (rows[3:], CONFIDENCES[[1, 3]])]:
        order = [int(np.abs(confidences - row).sum(1).argmin()) for row in samples]
        np.testing.assert_allclose(samples, confidences[order], rtol=1e-5)
        assert sorted(order[:2]) == [0, 1]
        assert order[2] == order[0]
    assert not np.allclose(result.images[0], result.images[1], atol=1e-7)


def test_features_are_truncated_too():
    method = Network(steps=1, keep=1, digits=1)
    np.testing.assert_allclose(
        method.features(np.array([[0.6, 0.3, 0.1]])), [[1 + np.log10(0.6) / 10, 0, 0]], rtol=1e-6
    )
    assert reconstruct([0], keep=1)[0][0, 1] == 0


@pytest.mark.parametrize(("argument", "value"), [("feed", "median"), ("keep", -1), ("digits", -2), ("width", 0)])
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(UserError, match=rf"Expected .*{argument}"):
        Network(**{argument: value})


def test_labels_alone_are_not_enough():
    labels = Classifier.from_predict(
        lambda x: np.zeros(len(x), int), input_shape=SHAPE, num_classes=3, outputs="labels"
    )
    with pytest.raises(UserError, match="a classifier with confidences"):
        invert(labels, [0], Network(), knowledge=knowledge())


@pytest.mark.proof
def test_inverts_a_black_box_better_than_the_mean_image():
    data = datasets.load("mnist5k", "train")
    order = np.random.default_rng(0).permutation(len(data))
    means = np.stack([data.images[order[:1000]][data.labels[order[:1000]] == k].mean(0) for k in range(10)])

    def predict(x):
        scores = -np.square(x[:, None] - means[None]).sum((2, 3, 4)) / 4
        odds = np.exp(scores - scores.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)

    victim = Classifier.from_predict(predict, input_shape=(28, 28, 1), num_classes=10, outputs="probabilities")
    auxiliary_images, held_out = data.images[order[1000:2000]], data.images[order[2000:2300]]
    method = Network(steps=1500, width=8)
    knowledge = Knowledge(auxiliary_images)
    problem = Problem(victim, np.arange(10), np.arange(10), knowledge, 0, 256)
    trained = method.prepare(problem)
    images = trained.decode(trained.features(predict(held_out)), None).numpy()
    error = np.square(images - held_out).mean()
    assert error < 0.8 * np.square(auxiliary_images.mean(0) - held_out).mean()
    result = invert(victim, range(10), method, knowledge=knowledge)
    nearest = np.square(result.images[:, None] - means[None]).sum((2, 3, 4)).argmin(1)
    assert (nearest == np.arange(10)).mean() >= 0.8
