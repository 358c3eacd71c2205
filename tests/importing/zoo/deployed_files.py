"""What the forms of deployed models share: a small network, and images for it."""

import keras
import numpy as np

SHAPE, CLASSES = (8, 8, 3), 4
LABELS = ("cat", "dog", "fox", "hen")
BLACK_BOX = "A black box without gradients"


def network(*last, batch=None):
    """A small convolutional network with random weights, whose classes differ from image to image."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, *SHAPE)),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.Flatten(),
            *(last or (keras.layers.Dense(CLASSES, activation="softmax"),)),
        ]
    )


def images(count=5, largest=1.0):
    x = np.random.default_rng(1).uniform(size=(count, *SHAPE)) * largest
    return x.astype(np.float32)


def log(probabilities):
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
