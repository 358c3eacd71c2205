import keras
import numpy as np
import pytest
import tensorflow as tf

from tfinv.classifier import Classifier
from tfinv.training.rounding import round_confidences


@pytest.mark.parametrize(
    ("digits", "expected"),
    [(0, [1.0, 0.0, 0.0]), (1, [0.7, 0.3, 0.0]), (2, [0.67, 0.28, 0.04]), (3, [0.674, 0.284, 0.042])],
)
def test_confidences_are_rounded_and_have_no_gradient(digits, expected):
    net = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    logits = np.log(np.array([0.6742, 0.2839, 0.0419]))
    net.layers[-1].set_weights([np.zeros((1, 3)), logits])
    image = tf.ones([1, 1, 1, 1])
    rounded = round_confidences(net, digits)
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = rounded(image)
    np.testing.assert_allclose(output[0], expected, atol=1e-6)
    gradient = tape.gradient(output, image)
    assert gradient is None or not np.any(gradient)
    assert Classifier.from_keras(rounded).predict(image).argmax() == 0
