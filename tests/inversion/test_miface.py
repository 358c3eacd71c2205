"""MIFace's step and its stop rules, where the iterates can be worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.inversion import Knowledge, MIFace, invert

SHAPE = (1, 2, 1)


def function(fn, bounds=(0.0, 1.0)):
    return Classifier.from_callable(fn, input_shape=SHAPE, num_classes=2, outputs="logits", bounds=bounds)


def sigmoid_of(fn, bounds=(0.0, 1.0)):
    """P(class 1) = sigmoid(fn(x)), P(class 0) the rest."""
    return function(lambda x: tf.stack([0 * x[:, 0, 0, 0], fn(x)], 1), bounds)


def line(slope, offset, bounds=(0.0, 1.0)):
    return sigmoid_of(lambda x: slope * x[:, 0, 0, 0] + offset, bounds)


def by_hand(slope, offset, rate, steps):
    """Algorithm 1 in float64 on `line`, without stop rules: pixels and costs."""
    x, pixels, costs = 0.0, [], []
    for _ in range(steps + 1):
        p = 1 / (1 + np.exp(-(slope * x + offset)))
        pixels.append(x)
        costs.append(1 - p)
        x = min(max(x + rate * slope * p * (1 - p), 0.0), 1.0)
    return np.array(pixels), np.array(costs)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_the_step_is_the_papers_on_images_scaled_to_one(bounds):
    low, high = bounds
    slope = 2 / (high - low)
    classifier = line(slope, -1 - slope * low, bounds)
    result = invert(classifier, [1], MIFace(steps=6, rate=0.3, beta=0, gamma=2))
    pixels, costs = by_hand(2, -1, 0.3, 6)
    assert classifier.to_unit(result.images)[0, 0, 0, 0] == pytest.approx(pixels[-1], rel=1e-4)
    assert result.images[0, 0, 1, 0] == low  # it has no influence
    assert result.cost[0] == pytest.approx(costs[-1], rel=1e-5)
    assert result.steps[0] == 6
    assert not result.stopped[0]


@pytest.mark.parametrize("offset", [5.0, 20.0])
def test_a_confident_start_stops_by_gamma(offset):
    result = invert(line(1, offset), [1], MIFace(steps=300))
    assert result.steps[0] <= 1
    assert result.stopped[0]
    assert result.confidence[0] >= 0.99


def test_a_start_of_hardly_any_confidence_does_not_stop_at_once():
    """Read literally, the paper's c <= gamma would hold after one step, and a blank image would come out."""
    result = invert(line(12, -5), [1], MIFace(steps=2000))
    pixels, costs = by_hand(12, -5, 0.1, 2000)
    assert costs[0] > 0.99  # under 1 %
    assert result.confidence[0] >= 0.99
    first = int(np.argmax(costs <= 0.01))
    assert first > 5
    assert abs(result.steps[0] - first) <= 1
    assert result.stopped[0]


def test_gamma_is_a_confidence():
    costs = by_hand(8, -3, 0.01, 400)[1]
    for gamma in (0.3, 0.6, 0.9):
        result = invert(line(8, -3), [1], MIFace(steps=400, rate=0.01, gamma=gamma, beta=0))
        assert result.steps[0] == int(np.argmax(1 - costs >= gamma))
        assert gamma <= result.confidence[0] < gamma + 0.1


@pytest.mark.parametrize("beta", [1, 3, 10])
def test_beta_is_the_length_of_the_window_of_costs(beta):
    """Where the gradient is zero the cost stands still: the first window that is full ends the row."""
    flat = sigmoid_of(lambda x: 0 * x[:, 0, 0, 0] - 1)
    result = invert(flat, [1], MIFace(steps=100, beta=beta))
    assert result.steps[0] == beta
    assert result.stopped[0]


def test_beta_forgives_a_rise_within_its_window():
    """Steps too long on a peak at .3: the cost falls to near 0, jumps up and comes back."""

    def peak(x):
        return 2 - 40 * tf.square(x[:, 0, 0, 0] - 0.3)

    short = invert(sigmoid_of(peak), [1], MIFace(steps=200, rate=0.2, beta=1, gamma=2))
    long = invert(sigmoid_of(peak), [1], MIFace(steps=200, rate=0.2, beta=50, gamma=2))
    assert short.stopped[0]
    assert short.steps[0] < 20
    assert long.steps[0] > short.steps[0]
    assert long.cost[0] <= short.cost[0]


def test_all_steps_are_run_without_rules():
    flat = sigmoid_of(lambda x: 0 * x[:, 0, 0, 0] + 20)
    result = invert(flat, [1], MIFace(steps=60, beta=0, gamma=2))
    assert result.steps[0] == 60
    assert not result.stopped[0]


def test_rows_stop_one_by_one():
    classifier = line(4, 0)  # class 1 needs .99, class 0 has it less and less: the start is its best
    result = invert(classifier, [0, 1], MIFace(steps=40, beta=2, gamma=0.95, rate=0.2))
    assert result.stopped.all()
    assert result.steps[0] == 2  # at the black border nothing moves
    assert result.steps[1] > 2
    np.testing.assert_array_equal(result.images[0], result.starts[0])


def test_the_best_iterate_is_kept():
    """The row jumps over the peak onto a plateau at the far bound, where the gradient is zero for good."""

    def fn(x):
        z = x[:, 0, 0, 0]
        return tf.where(z < 0.5, 10 * z - 2.0, -6.0)

    result = invert(sigmoid_of(fn), [1], MIFace(steps=30, rate=0.2, beta=0, gamma=2))
    pixels, costs = by_hand(10, -2, 0.2, 30)
    last = int(np.argmax(pixels >= 0.5)) - 1  # the last iterate before the cliff
    assert result.steps[0] == 30
    assert result.images[0, 0, 0, 0] == pytest.approx(pixels[last], rel=1e-4)
    assert result.cost[0] == pytest.approx(costs[last], rel=1e-4)
    assert 1 - result.confidence[0] == pytest.approx(result.cost[0], rel=1e-4)


def test_a_black_start_may_have_no_gradient_to_follow():
    """Why a warm start matters: a ReLU net without active units at zero gives MIFace nothing to follow."""
    dead = sigmoid_of(lambda x: 8 * tf.nn.relu(x[:, 0, 0, 0] + x[:, 0, 1, 0] - 0.2) - 3)
    black = invert(dead, [1], MIFace(steps=500))
    np.testing.assert_array_equal(black.images, black.starts)
    assert black.steps[0] == 100  # beta, not one step and not all
    warm = invert(dead, [1], MIFace(steps=500, start="average"), knowledge=Knowledge(average=np.full(SHAPE, 0.2)))
    assert warm.confidence[0] >= 0.99
    assert warm.stopped[0]
