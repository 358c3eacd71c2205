import keras
import numpy as np
import pytest
import tensorflow as tf

from stripes import small_net, stripes
from tfinv import models
from tfinv.training.bido import BiDO, BiDOTraining, gaussian_kernel, hsic, linear_kernel, normalised_hsic


def test_hsic_of_matrices_known_by_hand():
    # Labels -1 and 1, twice each: the kernel is centred as it is, and tr(K K) = 16.
    kernel = linear_kernel(tf.constant([[-1.0], [-1.0], [1.0], [1.0]]))
    other = linear_kernel(tf.constant([[1.0], [-1.0], [1.0], [-1.0]]))
    assert float(hsic(kernel, kernel)) == pytest.approx(16 / 9)
    assert float(hsic(kernel, other)) == pytest.approx(0.0, abs=1e-6)
    # Shifting every example changes an uncentred kernel, not its dependence.
    shifted = linear_kernel(tf.constant([[4.0], [4.0], [6.0], [6.0]]))
    assert float(hsic(shifted, kernel)) == pytest.approx(16 / 9, rel=1e-5)


def test_normalised_hsic_is_the_trace_of_the_definition():
    rng = np.random.default_rng(0)
    kernel_x, kernel_y = (gaussian_kernel(tf.constant(rng.normal(size=(6, d)), tf.float32), 0.5) for d in (3, 5))
    centre = np.eye(6) - 1 / 6
    whitened = [
        c @ np.linalg.inv(c + 6e-5 * np.eye(6)) for c in (centre @ k.numpy() @ centre for k in (kernel_x, kernel_y))
    ]
    assert float(normalised_hsic(kernel_x, kernel_y)) == pytest.approx(np.trace(whitened[0] @ whitened[1]), rel=1e-3)
    # The centred label kernel of two classes has one direction, which it shares with itself.
    label = linear_kernel(tf.constant([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    assert float(normalised_hsic(label, label)) == pytest.approx(1.0, abs=1e-3)


def test_the_width_grows_with_the_dimensions():
    x = tf.constant([[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 1.0]]])
    np.testing.assert_allclose(gaussian_kernel(x, 5.0), [[1, np.exp(-15 / 200)], [np.exp(-15 / 200), 1]], rtol=1e-6)


def test_the_loss_adds_the_stages_with_their_signs():
    data = stripes(16)
    defence = BiDO(image_weight=0.3, label_weight=0.7, normalised=False)
    training = BiDOTraining(small_net(data), defence)
    training.compile()
    x, y = tf.constant(data.images), tf.constant(data.labels)
    loss, logits = training.objective(y, x)
    net = training.classifier
    hidden = [net.layers[2].output, net.get_layer("encoding").output]  # the pooling, the encoding
    kernels = [gaussian_kernel(z, 5.0) for z in keras.Model(net.inputs[0], hidden)(x)]
    plain = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    image, label = gaussian_kernel(x, 5.0), linear_kernel(tf.one_hot(y, 2))
    expected = plain + sum(0.3 * hsic(image, k) - 0.7 * hsic(label, k) for k in kernels)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_residual_blocks_are_stages():
    training = BiDOTraining(models.resnet((8, 8, 1), 2, depth=8, width=4))
    assert len(training.staged.outputs) == 3 + 1 + 1  # blocks, encoding, logits
