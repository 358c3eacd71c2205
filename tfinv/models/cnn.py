"""Small convolutional networks for images of 16 to 128 pixels: one for quick experiments, one for robust training."""

from collections.abc import Sequence

import keras

from tfinv.errors import expected
from tfinv.models.split import ENCODING


def cnn(
    input_shape: tuple[int, int, int],
    num_classes: int,
    filters: Sequence[int] = (32, 64, 128),
    units: int = 128,
) -> keras.Model:
    """Builds stages of a 3x3 convolution and 2x2 pooling, then one dense layer.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      filters: number of filters of each stage.
      units: width of the encoding.

    Returns:
      A model from images to logits; the encoding is the dense layer after the convolutions, (units,). Each stage ends in a
      layer named "stage1", "stage2" and so on.
    """
    return _network("cnn", input_shape, num_classes, filters, 1, units, strided=False)


def convnet(
    input_shape: tuple[int, int, int],
    num_classes: int,
    filters: Sequence[int] = (32, 64),
    convolutions: int = 2,
    units: int = 256,
    strided: bool = True,
) -> keras.Model:
    """Builds stages of several 3x3 convolutions, then one dense layer; strong on MNIST, and cheap to train robustly there.

    By default convolutions of 32, 32/2, 64 and 64/2 filters (/2: strides 2), as in mnist_model_large of Wong et al. 2018 (Scaling
    provable adversarial defenses), but with 3x3 kernels throughout and one dense layer of 256 instead of two of 512.

    Args:
      input_shape: (H, W, C) of images in [0, 1].
      num_classes: number of logits.
      filters: number of filters of each stage.
      convolutions: number of convolutions in each stage.
      units: width of the encoding.
      strided: whether the last convolution of a stage has strides 2; if not, 2x2 pooling follows it.

    Returns:
      As `cnn`.

    Raises:
      UserError: `convolutions` is below 1.
    """
    if convolutions < 1:
        raise expected("at least 1 convolution a stage", convolutions, "Change the argument `convolutions`.")
    return _network("convnet", input_shape, num_classes, filters, convolutions, units, strided)


def _network(
    name: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    filters: Sequence[int],
    convolutions: int,
    units: int,
    strided: bool,
) -> keras.Model:
    inputs = keras.Input(input_shape, name="image")
    x = inputs
    for stage, width in enumerate(filters, 1):
        stage_name = f"stage{stage}"
        for _ in range(convolutions - 1 if strided else convolutions):
            x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        if strided:
            x = keras.layers.Conv2D(width, 3, 2, padding="same", activation="relu", name=stage_name)(x)
        else:
            x = keras.layers.MaxPooling2D(2, name=stage_name)(x)
    x = keras.layers.Flatten()(x)
    encoding = keras.layers.Dense(units, activation="relu", name=ENCODING)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, dtype="float32", name="logits")(encoding), name=name)
