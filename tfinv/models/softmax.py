"""Softmax regression, the simplest model in Fredrikson et al. 2015."""

import keras

from tfinv.models.split import ENCODING


def softmax(input_shape: tuple[int, int, int], num_classes: int, initializer: str = "glorot_uniform") -> keras.Model:
    """Builds a single linear layer on the pixels.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      initializer: name of the Keras initializer of the weights. Initial values remain in every direction that no training image
        has, and show as noise in an inversion. "zeros" avoids this, and suffices for a convex loss.

    Returns:
      A model from images to logits. Its encoder has no weights: the encoding is the flattened image.
    """
    inputs = keras.Input(input_shape, name="image")
    encoding = keras.layers.Flatten(name=ENCODING)(inputs)
    logits = keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype="float32", name="logits")
    return keras.Model(inputs, logits(encoding), name="softmax")
