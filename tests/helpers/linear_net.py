"""A linear Keras classifier with given weights, where perturbations and losses are known in closed form."""

import keras
import numpy as np


def linear_net(kernel, shape=(2, 2, 1)):
    """Returns a net with logits x kernel; x is the image flattened to (pixels,), and kernel is (pixels, classes)."""
    net = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(np.shape(kernel)[1], use_bias=False)]
    )
    net.layers[-1].set_weights([np.asarray(kernel, np.float32)])
    return net


# Two classes whose logits differ by a different share of each of four pixels.
AWAY = np.float32([1.0, -2.0, 0.5, 3.0])
TWO = np.stack([np.zeros(4), AWAY], axis=1)
