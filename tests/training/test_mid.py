import keras
import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv import models
from tfinv.training.mid import MID, MIDTraining, normal_divergence, with_bottleneck

DATA = stripes(8)


def test_the_divergence_is_that_of_the_closed_form():
    mean, deviation = tf.constant([[0.0, 0.0], [1.0, -2.0]]), tf.constant([[1.0, 1.0], [0.5, 2.0]])
    expected = (1 + 0.25 - 1) / 2 - np.log(0.5) + (4 + 4 - 1) / 2 - np.log(2.0)
    np.testing.assert_allclose(normal_divergence(mean, deviation), [0.0, expected], rtol=1e-6)


def test_the_loss_is_cross_entropy_and_beta_divergences():
    training = MIDTraining(small_net(DATA), MID(beta=0.0))
    training.compile()
    x, y = tf.constant(DATA.images), tf.constant(DATA.labels)
    plain, _ = training.objective(y, x)
    training.defence = MID(beta=2.0)
    weighted, _ = training.objective(y, x)
    mean, shifted = training.statistics(x)
    divergence = np.mean(normal_divergence(mean, tf.nn.softplus(shifted - 5.0)))
    assert float(weighted - plain) == pytest.approx(2.0 * divergence, rel=1e-4)


def test_the_exported_classifier_has_no_noise_and_mu_for_its_encoding():
    training = MIDTraining(small_net(DATA))
    training.compile()
    encoder, head = models.split(training.export_classifier())
    mean, _ = training.statistics(DATA.images)
    np.testing.assert_allclose(encoder(DATA.images), mean, atol=1e-6)
    np.testing.assert_allclose(training(DATA.images), head(mean), atol=1e-6)
    assert not [layer.name for layer in training.export_classifier().layers if layer.name == "sigma"]


@pytest.mark.parametrize("sequential", [False, True])
def test_the_copy_keeps_the_weights_before_the_bottleneck(sequential):
    net = small_net(DATA)
    if sequential:
        copies = [type(layer).from_config(layer.get_config()) for layer in net.layers[1:]]
        net = keras.Sequential([keras.Input(DATA.image_shape), *copies])
    copy = with_bottleneck(net)
    np.testing.assert_array_equal(
        copy.get_layer("features").get_weights()[0], net.get_layer("encoding").get_weights()[0]
    )
    features = keras.Model(copy.inputs[0], copy.get_layer("features").output)
    np.testing.assert_allclose(features(DATA.images), models.split(net)[0](DATA.images), atol=1e-6)
    assert copy.output_shape == (None, 2)
