"""Decoders from an encoding to an image, for the auxiliary autoencoder."""

import math

import keras

from tfinv.errors import expected


def decoder(encoding_shape: tuple[int, ...], image_shape: tuple[int, int, int], units: int = 512) -> keras.Model:
    """Builds a dense decoder for flat encodings, or a transposed-convolution decoder for spatial ones.

    Args:
      encoding_shape: (d,) or (h, w, c), without the batch.
      image_shape: (H, W, C) of the image to reconstruct.
      units: width of the hidden layer (flat) or of the first stage (spatial).

    Returns:
      A model from encodings to images in [0, 1].

    Raises:
      UserError: the encoding is neither flat nor spatial.
    """
    if len(encoding_shape) == 1:
        return _dense(encoding_shape, image_shape, units)
    if len(encoding_shape) == 3:
        return _transposed(encoding_shape, image_shape, units)
    raise expected("an encoding of shape (d,) or (h, w, c)", encoding_shape, "Change `encoding_shape`, or the layer.")


def _dense(encoding_shape, image_shape, units):
    inputs = keras.Input(encoding_shape, name="encoding")
    # An encoder must not defeat this decoder by scaling its encoding down.
    x = keras.layers.BatchNormalization()(inputs)
    x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(math.prod(image_shape), activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, keras.layers.Reshape(image_shape, dtype="float32")(x), name="decoder")


def _transposed(encoding_shape, image_shape, units):
    inputs = keras.Input(encoding_shape, name="encoding")
    x, width = keras.layers.BatchNormalization()(inputs), min(units, 128)
    for _ in range(max(0, math.ceil(math.log2(image_shape[0] / encoding_shape[0])))):
        x = keras.layers.Conv2DTranspose(width, 4, strides=2, padding="same", activation="relu")(x)
        width = max(width // 2, 16)
    x = keras.layers.Resizing(image_shape[0], image_shape[1], interpolation="bilinear")(x)
    x = keras.layers.Conv2D(image_shape[2], 3, padding="same", activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, x, name="decoder")
