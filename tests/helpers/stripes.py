"""A data set of two classes that a small net learns in a few steps, and such a net."""

import keras
import numpy as np

from tfinv import models
from tfinv.datasets import Dataset


def stripes(n=96, seed=0):
    """Returns noisy images of 8 x 8 pixels whose upper or lower half is bright."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.uniform(0, 0.4, (n, 8, 8, 1)).astype(np.float32)
    images[labels == 0, :4] += 0.5
    images[labels == 1, 4:] += 0.5
    return Dataset("stripes", "train", images, labels, ("above", "below"))


def small_net(data, seed=0):
    """Returns a net of one convolution with six features."""
    keras.utils.set_random_seed(seed)
    return models.cnn(data.image_shape, data.num_classes, filters=(4,), units=6)
