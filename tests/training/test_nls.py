import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv.training.base import smooth_labels
from tfinv.training.nls import NLS, NLSTraining


def test_the_target_is_more_than_certain():
    target = smooth_labels(tf.constant([2]), 10, -0.05).numpy()[0]
    np.testing.assert_allclose(target, [1.045 if k == 2 else -0.005 for k in range(10)], atol=1e-7)
    assert target.sum() == pytest.approx(1.0)


def test_it_sets_in_along_the_training():
    training = NLSTraining(small_net(stripes()), NLS(alpha=-0.2), steps=100)
    training.compile()
    alphas = []
    for step in (0, 50, 60, 75, 100, 120):
        training.optimizer.iterations.assign(step)
        alphas.append(float(training.alpha()))
    np.testing.assert_allclose(alphas, [0, 0, -0.08, -0.2, -0.2, -0.2], atol=1e-6)


def test_the_loss_is_cross_entropy_against_the_target():
    data = stripes(8)
    training = NLSTraining(small_net(data), NLS(alpha=-0.1, start=0.0, full=0.0), steps=10)
    training.compile()
    loss, logits = training.objective(tf.constant(data.labels), tf.constant(data.images))
    log_probabilities = np.log(tf.nn.softmax(logits).numpy())
    of_label, of_other = log_probabilities[np.arange(8), data.labels], log_probabilities[np.arange(8), 1 - data.labels]
    assert float(loss) == pytest.approx(-np.mean(1.05 * of_label - 0.05 * of_other), rel=1e-5)
