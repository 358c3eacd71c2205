"""Softmax regression, the simplest model that Fredrikson et al. 2015 invert."""

import keras

from tfinv.models.split import ENCODING


def softmax(input_shape: tuple[int, int, int], num_classes: int, initializer: str = "glorot_uniform") -> keras.Model:
    """One linear layer on the pixels.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      initializer: name of Keras's for the weights. What they begin with stays in every direction that no image has, and an
        inversion draws it as noise: "zeros" leaves nothing there but what was learnt, and suffices for a convex loss.

    Returns:
      A model from images to logits. Its encoder has no weights: its encoding is the image.
    """
    inputs = keras.Input(input_shape, name="image")
    encoding = keras.layers.Flatten(name=ENCODING)(inputs)
    logits = keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype="float32", name="logits")
    return keras.Model(inputs, logits(encoding), name="softmax")
