"""A dense autoencoder, for images of one pose such as aligned faces."""

import math

import keras


def autoencoder(
    image_shape: tuple[int, int, int], latent: int = 300, units: int = 1000, seed: int = 0
) -> tuple[keras.Model, keras.Model]:
    """Builds an autoencoder with one hidden layer on each side of a code in [0, 1], sized as in Fredrikson et al. 2015.

    Theirs (1,000 and 300 units) is a stack of sigmoid layers trained one after the other; here hidden layers use ReLU, so that
    all train together.

    Args:
      image_shape: (H, W, C) of images in [0, 1].
      latent: size of the code.
      units: width of the hidden layers.
      seed: of the weights.

    Returns:
      encoder, images to codes (batch, latent) in [0, 1], and decoder, codes to the logits of the pixels.
    """
    initializer = keras.initializers.GlorotUniform(keras.random.SeedGenerator(seed))
    images = keras.Input(image_shape, name="image")
    x = keras.layers.Flatten()(images)
    x = keras.layers.Dense(units, activation="relu", kernel_initializer=initializer)(x)
    code = keras.layers.Dense(latent, activation="sigmoid", kernel_initializer=initializer, dtype="float32")(x)
    codes = keras.Input((latent,), name="code")
    x = keras.layers.Dense(units, activation="relu", kernel_initializer=initializer)(codes)
    x = keras.layers.Dense(math.prod(image_shape), kernel_initializer=initializer, dtype="float32")(x)
    return (
        keras.Model(images, code, name="code_encoder"),
        keras.Model(codes, keras.layers.Reshape(image_shape, dtype="float32")(x), name="code_decoder"),
    )
