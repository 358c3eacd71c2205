"""A small convolutional network for images of 16 to 128 pixels."""

from collections.abc import Sequence

import keras

from tfinv.models.split import ENCODING


def cnn(
    input_shape: tuple[int, int, int],
    num_classes: int,
    filters: Sequence[int] = (32, 64, 128),
    units: int = 128,
) -> keras.Model:
    """Stages of a 3x3 convolution and 2x2 pooling, then one dense layer.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      filters: one stage each.
      units: width of the encoding.

    Returns:
      A model from images to logits; the encoding is the dense layer behind the convolutions, (units,).
    """
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for width in filters:
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    encoding = keras.layers.Dense(units, activation="relu", name=ENCODING)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits")(encoding), name="cnn")
