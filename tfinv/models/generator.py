"""A small generator from latent vectors to images, and the inverse encoder, for few images and a slow processor."""

import math

import keras

# Number of times that the networks halve or double the image.
_STAGES = 2


def generator(
    latent: int, image_shape: tuple[int, int, int], classes: int = 0, width: int = 32, seed: int = 0
) -> keras.Model:
    """Builds a generator: one dense layer, then transposed convolutions.

    Unlike `decoder` it has no batch normalisation: with a few hundred images its moving averages would not converge.

    Args:
      latent: dimension of the latent vector.
      image_shape: (H, W, C).
      classes: if not 0, the input is (batch, latent + classes): the latent vector, then a one-hot label.
      width: channels of the middle stage.
      seed: of the weights.

    Returns:
      A model to the logits of the pixels, (batch, H, W, C): their sigmoid is the image.
    """
    height, columns, channels = image_shape
    low = [math.ceil(side / 2**_STAGES) for side in (height, columns)]
    initializer = keras.initializers.GlorotUniform(keras.random.SeedGenerator(seed))
    inputs = keras.Input((latent + classes,), name="latent")
    x = keras.layers.Dense(math.prod(low) * 2 * width, activation="relu", kernel_initializer=initializer)(inputs)
    x = keras.layers.Reshape((*low, 2 * width))(x)
    for stage in range(_STAGES):
        filters = max(1, width >> stage)
        x = keras.layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", activation="relu", kernel_initializer=initializer
        )(x)
    x = keras.layers.Conv2D(channels, 3, padding="same", kernel_initializer=initializer, dtype="float32")(x)
    excess = [side * 2**_STAGES - target for side, target in zip(low, (height, columns), strict=True)]
    return keras.Model(inputs, keras.layers.Cropping2D(((0, excess[0]), (0, excess[1])))(x), name="generator")


def image_encoder(image_shape: tuple[int, int, int], outputs: int, width: int = 32, seed: int = 0) -> keras.Model:
    """Builds strided convolutions and one dense layer, the mirror of `generator`.

    Args:
      image_shape: (H, W, C) of images in [0, 1].
      outputs: dimension of the output, (batch, outputs).
      width: channels of the first stage.
      seed: of the weights.
    """
    initializer = keras.initializers.GlorotUniform(keras.random.SeedGenerator(seed))
    inputs = keras.Input(image_shape, name="image")
    x = inputs
    for stage in range(_STAGES):
        x = keras.layers.Conv2D(
            width << stage, 3, strides=2, padding="same", activation="relu", kernel_initializer=initializer
        )(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(outputs, kernel_initializer=initializer, dtype="float32")(x)
    return keras.Model(inputs, x, name="image_encoder")
