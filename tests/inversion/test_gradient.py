"""Plain gradient inversion: the length of its steps, its prior and its patience."""

import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.inversion import Gradient, Knowledge, invert
from tfinv.inversion.priors import alpha_norm, l2, total_variation

SHAPE = (2, 2, 1)
WEIGHTS = np.float32([3, -4, 0, 0])


def linear(scale=1.0, bounds=(0.0, 1.0)):
    return Classifier.from_callable(
        lambda x: scale * tf.reshape(x, [-1, 4]) @ np.stack([-WEIGHTS, WEIGHTS], 1),
        input_shape=SHAPE,
        num_classes=2,
        outputs="logits",
        bounds=bounds,
    )


@pytest.mark.parametrize("scale", [1e-3, 1.0])
@pytest.mark.parametrize("loss", ["logit", "cross_entropy"])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)])
def test_a_step_has_the_length_rate_whatever_the_size_of_the_gradient(scale, loss, bounds):
    classifier = linear(scale / (bounds[1] - bounds[0]), bounds)
    grey = Knowledge(average=np.full(SHAPE, 0.5))
    result = invert(classifier, [1], Gradient(steps=3, rate=0.05, loss=loss), knowledge=grey)
    # Three steps of .05 along w / |w| = (.6, -.8, 0, 0).
    np.testing.assert_allclose(classifier.to_unit(result.images).ravel(), [0.59, 0.38, 0.5, 0.5], atol=1e-6)
    assert result.steps[0] == 3
    assert not result.stopped[0]


def test_the_bounds_stop_it():
    result = invert(linear(), [1], Gradient(steps=50, loss="logit", start="zeros"))
    np.testing.assert_allclose(result.images.ravel(), [1, 0, 0, 0], atol=1e-6)
    assert result.cost[0] == pytest.approx(-3)


def test_priors():
    image = np.float32([[0, 1], [0.5, 0]]).reshape(1, 2, 2, 1)
    # Down: .5 + 1; across: 1 + .5; four pixels.
    np.testing.assert_allclose(total_variation(tf.constant(image)), [3 / 4])
    np.testing.assert_allclose(l2(tf.constant(image)), [1.25 / 4])
    np.testing.assert_allclose(alpha_norm(tf.constant(image)), [3 / 4])
    logits, label = tf.zeros([1, 2]), tf.constant([1])
    weighted = Gradient(total_variation=2.0, l2=4.0, loss="logit")
    np.testing.assert_allclose(weighted.cost(logits, label, tf.constant(image), tf.constant(image)), [1.5 + 1.25])


def test_total_variation_smooths_pixels_without_influence_on_the_class():
    classifier = linear(1e-3)
    rough = np.float32([[0.5, 0.5], [0.1, 0.9]]).reshape(SHAPE)

    def roughness(weight):
        method = Gradient(steps=60, rate=0.02, total_variation=weight)
        image = invert(classifier, [1], method, knowledge=Knowledge(average=rough)).images[0]
        return abs(float(image[1, 0, 0] - image[1, 1, 0]))

    assert roughness(0.0) == pytest.approx(0.8, abs=1e-5)
    assert roughness(1.0) < 0.2


@pytest.mark.parametrize("patience", [1, 7, 30])
def test_patience(patience):
    flat = Classifier.from_callable(
        lambda x: tf.reshape(x, [-1, 4])[:, :2] * 0.0 + [0.0, 1.0], input_shape=SHAPE, num_classes=2, outputs="logits"
    )
    result = invert(flat, [1], Gradient(steps=100, patience=patience, start="zeros"))
    assert result.steps[0] == patience
    assert result.stopped[0]


def test_patience_waits_while_the_cost_falls():
    result = invert(linear(), [1], Gradient(steps=100, rate=0.01, patience=2, loss="logit", start="zeros"))
    # From black, .6 of a step goes along the first pixel: 167 steps to white, each worth more than the tolerance.
    assert result.steps[0] == 100
    assert not result.stopped[0]
