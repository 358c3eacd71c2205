"""Softmax regression, the simplest model that Fredrikson et al. 2015 invert."""

import keras

from tfinv.models.split import ENCODING


def softmax(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """One linear layer on the pixels.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.

    Returns:
      A model from images to logits. Its encoder has no weights: its encoding is the image.
    """
    inputs = keras.Input(input_shape, name="image")
    encoding = keras.layers.Flatten(name=ENCODING)(inputs)
    return keras.Model(
        inputs, keras.layers.Dense(num_classes, dtype="float32", name="logits")(encoding), name="softmax"
    )
