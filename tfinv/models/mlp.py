"""The multilayer perceptron with one hidden layer of Fredrikson et al. 2015, section 5."""

import keras

from tfinv.models.split import ENCODING


def mlp(input_shape: tuple[int, int, int], num_classes: int, units: int = 3000) -> keras.Model:
    """Builds a perceptron with one hidden layer of sigmoids.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      units: width of the hidden layer, 3,000 in the paper.

    Returns:
      A model from images to logits; the encoding is the hidden layer, (units,).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Flatten()(inputs)
    encoding = keras.layers.Dense(units, activation="sigmoid", name=ENCODING)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, dtype="float32", name="logits")(encoding), name="mlp")
